// Many clients on one child, and the moments where their doings cross.
import { assert, assertRelayError, fake, scaled, test, until } from './lib/harness.mjs';

const seenBy = async (client, method) => (await client.scriptValues([{ seen: { method } }]))[0];

test('three hundred clients with equal ids share one child', { timeoutMs: 300_000 }, async (t) => {
  const relay = await t.relay({});
  const clients = await Promise.all(Array.from({ length: 300 }, () => t.ready(relay)));
  await Promise.all(
    clients.map(async (client, who) => {
      for (let id = 0; id < 10; id++) {
        client.sendScript(id, [{ progress: { progress: who } }, { reply: { who, id } }], { token: 0 });
      }
      for (let id = 0; id < 10; id++) {
        assert.deepEqual((await client.reply(id, scaled(60_000))).result, { who, id });
        const { params } = await client.notification('notifications/progress');
        assert.deepEqual(params, { progressToken: 0, progress: who });
      }
      assert.deepEqual(client.left, []);
    }),
  );
  assert.equal(relay.keepers().length, 1);
});

test('clients that come while the child starts are all served by that one start', async (t) => {
  const relay = await t.relay({ servers: { fake: fake({ beforeReply: [{ pauseMs: 300 }] }) } });
  const clients = await Promise.all(Array.from({ length: 50 }, () => t.ready(relay)));
  const pids = await Promise.all(clients.map(async (client) => (await client.scriptValues([{ pid: 1 }]))[0]));
  assert.equal(new Set(pids).size, 1);
  assert.equal((await seenBy(clients[0], 'initialize')).length, 1);
});

test('two clients subscribe to one URI at once; one leaves before the answer', async (t) => {
  const relay = await t.relay({});
  const [a, b, c] = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  const subscribe = (client, id) =>
    client.send({ jsonrpc: '2.0', id, method: 'resources/subscribe', params: { uri: 'x://1' } });
  // The child stands still meanwhile, so that both wait for the same answer.
  c.sendScript('block', [{ blockMs: 200 }]);
  await c.pingRelay();
  subscribe(a, 1);
  subscribe(b, 1);
  await b.pingRelay();
  await a.destroy();
  assert.ok((await b.reply(1)).result);
  await c.reply('block');
  await c.script([
    { out: '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://1"}}' },
  ]);
  assert.equal((await b.notification('notifications/resources/updated')).params.uri, 'x://1');
  await b.close();
  await c.script([{ wait: { method: 'resources/unsubscribe' } }]);
  const [subscribed, unsubscribed] = [
    await seenBy(c, 'resources/subscribe'),
    await seenBy(c, 'resources/unsubscribe'),
  ];
  assert.equal(subscribed.length - unsubscribed.length, 0, 'as often given back as taken');
});

test('answers and progress that a client makes up go nowhere', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  b.sendScript(1, [{ hold: 'b' }], { token: 't' });
  for (const id of [0, 1, 2, 3, '1', null]) {
    a.send({ jsonrpc: '2.0', id, result: { forged: true } });
    a.notify('notifications/progress', { progressToken: id, progress: 9 });
  }
  const lines = await seenBy(a);
  assert.ok(!lines.some(({ text }) => text.includes('forged')), 'no answer reaches a shared child unasked');
  await a.scriptValues([{ release: 'b' }]);
  assert.deepEqual((await b.reply(1)).result.values, []);
  await b.flush();
  assert.deepEqual(b.left, []);
});

test('a client that comes back at once with the ids it had in flight gets no old answer', async (t) => {
  const relay = await t.relay({});
  const watcher = await t.ready(relay);
  for (let round = 0; round < 20; round++) {
    const first = await t.ready(relay);
    await first.sendScript(1, [{ hold: `round ${round}` }, { reply: { old: true } }]);
    await watcher.script([{ wait: { method: 'tools/call', count: 4 * round + 2 } }]);
    first.destroy();
    const second = await t.ready(relay);
    second.sendScript(1, [{ release: `round ${round}` }, { reply: { fresh: round } }]);
    assert.deepEqual((await second.reply(1)).result, { fresh: round });
    await watcher.flush();
    await second.pingRelay();
    assert.deepEqual(second.left, []);
    second.destroy();
  }
});

test('a child that dies while clients subscribe, cancel and leave comes back clean', async (t) => {
  const relay = await t.relay({
    relay: { backoffMinMs: 10, backoffMaxMs: 20, breakerExits: 30, breakerWindowMs: 1 },
  });
  const watcher = await t.ready(relay);
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 4 }, () => t.ready(relay)));
    for (const [n, client] of clients.entries()) {
      client.send({
        jsonrpc: '2.0',
        id: 's',
        method: 'resources/subscribe',
        params: { uri: `x://${n % 2}` },
      });
      client.sendScript(1, [{ hold: 'x' }]);
      if (n === 1) client.notify('notifications/cancelled', { requestId: 1 });
      if (n === 2) client.destroy();
      if (n === 3) client.sendScript(2, [{ kill: 'SIGKILL' }]);
    }
    const killer = clients[3];
    assertRelayError(await killer.reply(2), 'SERVER_UNAVAILABLE', { sent: true });
    await until(async () => !(await clients[0].script([])).error, 'a new child');
    assertRelayError(await clients[0].reply(1), 'SERVER_UNAVAILABLE');
    assert.ok(!clients[1].left.some(({ id }) => id === 1), 'what was cancelled is not answered');
    await Promise.all(clients.map((client) => client.destroy()));
    await until(async () => !(await watcher.script([])).error, 'it serves');
    await until(async () => {
      const subscribed = (await seenBy(watcher, 'resources/subscribe')).map(
        ({ text }) => JSON.parse(text).params.uri,
      );
      const given = (await seenBy(watcher, 'resources/unsubscribe')).map(
        ({ text }) => JSON.parse(text).params.uri,
      );
      return subscribed.sort().join() === given.sort().join();
    }, 'every subscription of those who left is given back');
  }
  assert.deepEqual((await watcher.request('relay/inflight')).result.calls, []);
});
