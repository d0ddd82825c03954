// Memory that waits for clients: none of them can fill it, and who reads gets all answers.
import { assert, assertRelayError, peakBytes, residentBytes, scaled, test } from './lib/harness.mjs';
import { LineClient } from './lib/line_client.mjs';

const MIB = 1024 * 1024;

test('clients that do not read are closed, and memory stays within the limit', async (t) => {
  const limit = 16 * MIB;
  const relay = await t.relay({ relay: { maxMemoryBytes: limit, maxFrameBytes: 4 * MIB } });
  const quick = await t.ready(relay);
  await quick.flush();
  const before = residentBytes(relay.pid);
  const deaf = await Promise.all(Array.from({ length: 8 }, () => t.ready(relay)));
  for (const client of deaf) {
    client.stream.pause();
    for (let id = 0; id < 9; id++) client.sendScript(id, [{ big: 3 * MIB }]).catch(() => {});
  }
  const { reason } = await relay.event('client closed');
  assert.match(reason, /memory is short, and \d+ bytes wait for this client to read them/);
  for (let i = 0; i < 20; i++) await quick.flush();
  const grown = peakBytes(relay.pid) - before;
  t.figure(`8 clients that do not read 27 MiB each under a limit of 16 MiB: memory +${(grown / MIB).toFixed(0)} MiB`);
  // AddressSanitizer keeps what was freed, up to 256 MiB of it.
  if (!relay.sanitized) assert.ok(grown < 1.5 * limit, `${grown} bytes`);
});

test('a client that pipelines large answers and reads gets them all', { timeoutMs: 300_000 }, async (t) => {
  const relay = await t.relay({ relay: { clientOutBytes: 4 * MIB, maxFrameBytes: 2 * MIB } });
  const client = await t.ready(relay);
  const count = 40;
  for (let id = 0; id < count; id++) client.sendScript(id, [{ big: MIB }]);
  for (let id = 0; id < count; id++) {
    client.stream.pause(); // behind what the child writes, answer by answer
    await client.sendText('');
    client.stream.resume();
    assert.equal((await client.reply(id, scaled(60_000))).result.pad.length, MIB);
  }
});

test('a connection that says nothing, or only blanks, is ended and told why', async (t) => {
  const relay = await t.relay({ relay: { frameTimeoutMs: scaled(300) } });
  const [mute, blank] = [await LineClient.connect(relay.address), await LineClient.connect(relay.address)];
  await blank.sendBytes(Buffer.from('\n \r\n'));
  for (const client of [mute, blank]) {
    assertRelayError((await client.take(() => true, 'the reason')).msg, 'TIMEOUT');
    await client.closed;
  }
});
