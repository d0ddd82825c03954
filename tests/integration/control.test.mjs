// The relay's own methods.
import os from 'node:os';
import { assert, assertRelayError, fake, test, until } from './lib/harness.mjs';

const servers = () => ({ one: fake(), two: fake() });

test('relay/ping answers without a server', async (t) => {
  const relay = await t.relay({ servers: { one: fake({ mute: true }) } });
  const client = await t.client(relay);
  const { result } = await client.request('relay/ping', {});
  assert.equal(typeof result.t, 'number');
});

test('relay/status and relay/servers tell what runs', async (t) => {
  const relay = await t.relay({ servers: servers(), relay: { defaultServer: 'one' } });
  const client = await t.ready(relay);
  const [pid] = await client.scriptValues([{ pid: 1 }]);
  client.sendScript('x', [{ hold: 'x' }]);
  await client.flush();
  const status = (await client.request('relay/status')).result;
  assert.equal(status.clients.connections, 1);
  assert.equal(status.health, 'ok');
  assert.equal(status.requests.inFlight, 1);
  assert.match(status.relay.version, /^\d+\.\d+\.\d+/);
  const list = (await client.request('relay/servers')).result.servers;
  assert.deepEqual(list.map(({ name }) => name).sort(), ['one', 'two']);
  const one = list.find(({ name }) => name === 'one');
  assert.equal(one.state, 'ready');
  assert.equal(one.inFlight, 1);
  assert.equal(one.restarts, 0);
  assert.equal(one.pid, pid);
  const two = list.find(({ name }) => name === 'two');
  assert.equal(two.state, 'idle', 'nobody asked for it');
  await client.script([{ release: 'x' }]);
  assert.ok((await client.reply('x')).result);
});

test('relay/servers: idle is for a server that nothing is wrong with', async (t) => {
  const relay = await t.relay({
    servers: {
      used: fake(),
      off: { ...fake(), disabled: true },
      odd: { command: 5 },
      web: { url: 'http://127.0.0.1:1/' },
      gone: { command: '/nonexistent/server' },
    },
    relay: { listen: ['127.0.0.1:0=used', '127.0.0.1:0=gone'], servers: { used: { idleTimeoutMs: 1 } } },
  });
  const client = await t.client(relay);
  const states = async () => {
    const list = (await client.request('relay/servers')).result.servers;
    return Object.fromEntries(list.map(({ name, state }) => [name, state]));
  };
  assert.deepEqual(await states(), { used: 'idle', off: 'down', odd: 'down', web: 'down', gone: 'idle' });
  const gone = await t.client(relay.addresses[1]);
  assert.ok((await gone.initialize()).error);
  await gone.destroy();
  await until(async () => (await states()).gone === 'down', 'it is given up, and that is not idle');
});

test('relay/clients and relay/inflight: who is there, what is under way', async (t) => {
  const relay = await t.relay({ servers: servers(), relay: { defaultServer: 'one' } });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  a.sendScript('call-1', [{ hold: 'x' }]);
  await a.flush();
  const { clients } = (await b.request('relay/clients')).result;
  assert.equal(clients.length, 2);
  assert.ok(clients.every((client) => JSON.stringify(client).includes('line-client')));
  const { calls } = (await b.request('relay/inflight')).result;
  assert.equal(calls.length, 1);
  assert.match(JSON.stringify(calls[0]), /call-1/);
  assert.match(JSON.stringify(calls[0]), /tools\/call/);
  await a.script([{ release: 'x' }]);
  await a.reply('call-1');
  assert.deepEqual((await b.request('relay/inflight')).result.calls, []);
  await a.close();
  await until(
    async () => (await b.request('relay/clients')).result.clients.length === 1,
    'the client is gone',
  );
});

test('the methods are the same on a Unix socket', async (t) => {
  const path = t.file('sock');
  const relay = await t.relay({ relay: { listen: [`unix:${path}`] } });
  const client = await t.client(relay);
  for (const method of ['relay/status', 'relay/servers', 'relay/clients', 'relay/inflight']) {
    assert.ok((await client.request(method)).result, method);
  }
});

const outside = Object.values(os.networkInterfaces())
  .flat()
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

test(
  'from another machine: status yes, the methods for admins no',
  { skip: outside ? false : 'this machine has no address but loopback' },
  async (t) => {
    const relay = await t.relay({ relay: { listen: ['0.0.0.0:0'] } });
    const client = await t.client({ host: outside, port: relay.address.port });
    for (const method of ['relay/ping', 'relay/status', 'relay/servers']) {
      assert.ok((await client.request(method)).result, method);
    }
    for (const method of ['relay/clients', 'relay/inflight']) {
      assertRelayError(await client.request(method), 'FORBIDDEN', { needed: 'admin' });
    }
  },
);

test('unknown relay/ methods are -32601, and no relay/ method reaches a child', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  for (const method of [
    'relay/no-such',
    'relay/',
    'relay\\/nope',
    '\\u0072elay/nope',
    'relay/hello',
    'relay/kill',
  ]) {
    client.sendText(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":{}}`); // escapes as they are written here
    assertRelayError(await client.reply(1), 'METHOD_NOT_FOUND');
  }
  client.notify('relay/ack', { received: 1 });
  const [lines] = await client.scriptValues([{ seen: {} }]);
  assert.ok(
    lines.every(({ method }) => !method?.startsWith('relay')),
    JSON.stringify(lines),
  );
});

test('a remote server is noted; its sessions are told; the rest runs', async (t) => {
  const relay = await t.relay({
    servers: { remote: { url: 'https://example.org/mcp' }, local: fake() },
    relay: { listen: ['127.0.0.1:0=remote', '127.0.0.1:0=local'] },
  });
  const [remote, local] = [await t.client(relay.addresses[0]), await t.ready(relay.addresses[1])];
  const answer = await remote.initialize();
  assertRelayError(answer, 'SERVER_UNAVAILABLE', { server: 'remote' });
  assert.match(JSON.stringify(answer.error), /remote servers are not built in yet/);
  await local.flush();
});
