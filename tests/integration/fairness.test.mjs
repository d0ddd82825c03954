// Fairness among hosts: whatever one of them does, on however many connections, another one's requests are served.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert, assertRelayError, atMost, test, within } from './lib/harness.mjs';

const CALLS = 200;
const plain = {
  command: 'node',
  args: [fileURLToPath(new URL('lib/children/plain.mjs', import.meta.url))],
};
const flooder = fileURLToPath(new URL('lib/flood.mjs', import.meta.url));

const percentile = (list, p) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * p)];

async function echoes(client) {
  const took = [];
  for (let i = 0; i < CALLS; i++) {
    const began = performance.now();
    const answer = await client.request('tools/call', { name: 'echo', arguments: { i } });
    assert.equal(answer.result?.content[0].text, `{"i":${i}}`, JSON.stringify(answer.error));
    took.push(performance.now() - began);
  }
  return took;
}

async function flood(t, relay, kind) {
  const process = spawn('node', [flooder, String(relay.address.port), kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => process.once('exit', resolve));
  t.atEnd(() => {
    process.kill('SIGKILL');
    return exited;
  });
  await within(new Promise((resolve) => process.stdout.once('data', resolve)), `${kind} under way`);
}

for (const kind of [
  'hanging calls',
  'notifications',
  'large notifications',
  'bad lines',
  'control calls',
  'pings',
]) {
  test(`${kind} of another host do not delay an echo`, async (t) => {
    const relay = await t.relay({ servers: { plain } });
    const client = await t.ready(relay);
    const quiet = await echoes(client);
    await flood(t, relay, kind);
    const took = await echoes(client);
    const [p50, p99] = [percentile(took, 0.5), percentile(took, 0.99)];
    t.figure(
      `echo beside ${kind}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; alone p99 ${percentile(quiet, 0.99).toFixed(1)} ms`,
    );
    assert.ok(p99 < atMost(20), `p99 ${p99} ms`);
    assert.deepEqual(client.left, []);
  });
}

test('one host cannot take all places', async (t) => {
  const relay = await t.relay({ relay: { maxClients: 20 } });
  const elsewhere = { ...relay.address, localAddress: '127.0.0.2' };
  const crowd = [];
  for (let i = 0; i < 20; i++) crowd.push(await t.client(elsewhere));
  for (const refused of crowd.slice(10)) {
    const { msg } = await refused.take(() => true, 'the refusal');
    const data = assertRelayError(msg, 'OVERLOADED', { retryable: true });
    assert.equal(typeof data.retryAfterMs, 'number');
    assert.match(msg.error.message, /10 connections come from this address already.*maxClientsPerAddress/);
    await refused.closed;
  }
  const client = await t.ready(relay);
  await client.flush();
  // And one that goes makes room for its host.
  await crowd[0].destroy();
  const { result } = await client.request('relay/status');
  assert.ok(result.clients.connections <= 11);
  await (await t.ready(elsewhere)).flush();
});

test('maxClientsPerAddress is taken at a reload', async (t) => {
  const relay = await t.relay({ relay: { maxClientsPerAddress: 1 } });
  const client = await t.ready(relay);
  const over = await t.client(relay);
  assertRelayError((await over.take(() => true, 'the refusal')).msg, 'OVERLOADED');
  await over.closed;
  relay.writeConfig({ relay: { maxClientsPerAddress: 2 } });
  relay.signal('SIGHUP');
  await relay.event('reloaded');
  await (await t.ready(relay)).flush();
  await client.flush();
});
