// One shared child, many clients: nobody gets what is not theirs.
import { assert, assertRelayError, fake, readJournal, test } from './lib/harness.mjs';

const seenBy = async (client, method) => (await client.scriptValues([{ seen: { method } }]))[0];

test('case 01: two clients with equal ids and progress tokens, interleaved', async (t) => {
  const relay = await t.relay({});
  const calls = 40;
  const clients = [await t.ready(relay), await t.ready(relay)];
  // All calls of both clients meet in the child, which then answers them from the last to the first.
  const barrier = { key: 'all', n: calls * clients.length };
  clients.forEach((client, who) => {
    for (let id = 0; id < calls; id++) {
      const token = id % 2 ? id : `token-${id}`;
      const steps = [
        { progress: { progress: 1, message: `${who}-${id}-before` } },
        { barrier },
        { progress: { progress: 2, message: `${who}-${id}-after` } },
        { reply: { mine: `${who}-${id}` } },
      ];
      client.sendScript(id, steps, { token });
    }
  });
  for (const [who, client] of clients.entries()) {
    for (let id = 0; id < calls; id++) {
      assert.deepEqual((await client.reply(id)).result, { mine: `${who}-${id}` });
      for (const when of ['before', 'after']) {
        const { params } = await client.notification('notifications/progress');
        const [owner, call] = params.message.split('-');
        assert.equal(Number(owner), who, `progress of client ${owner} at client ${who}`);
        assert.equal(params.progressToken, call % 2 ? Number(call) : `token-${call}`, when);
      }
    }
  }
  for (const client of clients) {
    await client.flush();
    assert.deepEqual(client.left, []);
  }
});

test("case 02: a cancel of A's 7 leaves B's 7 alone", async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  a.sendScript(7, [{ hold: 'a' }, { progress: { progress: 1 } }], { token: 'late' });
  b.sendScript(7, [{ hold: 'b' }]);
  await b.scriptValues([{ wait: { method: 'tools/call', count: 3 } }]);
  a.notify('notifications/cancelled', { requestId: 7, reason: 'changed my mind' });
  await b.scriptValues([{ wait: { method: 'notifications/cancelled' } }]);
  const [calls, cancels] = await b.scriptValues([
    { seen: { method: 'tools/call' } },
    { seen: { method: 'notifications/cancelled' } },
  ]);
  assert.equal(cancels.length, 1);
  const cancelled = JSON.parse(cancels[0].text).params;
  const target = calls.find(({ id }) => id === cancelled.requestId);
  assert.match(target.text, /"hold":"a"/, 'the cancel names the call of the one who cancelled');
  assert.equal(cancelled.reason, 'changed my mind');
  // The id is free at once, and a late answer to the cancelled call does not settle its successor.
  a.sendScript(7, [{ release: 'a' }, { reply: { second: true } }]);
  assert.deepEqual((await a.reply(7)).result, { second: true });
  await b.scriptValues([{ release: 'b' }]);
  assert.ok((await b.reply(7)).result);
  for (const client of [a, b]) {
    await client.flush();
    assert.deepEqual(client.left, []);
  }
});

test('case 02: a cancel of an id that is not in flight never reaches the child', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  b.sendScript('theirs', [{ hold: 'b' }]);
  for (const requestId of ['theirs', 1, 2, 3, 4, 0, -1, null])
    a.notify('notifications/cancelled', { requestId });
  a.notify('notifications/cancelled', {});
  assert.deepEqual(await seenBy(a, 'notifications/cancelled'), []);
  await a.scriptValues([{ release: 'b' }]);
  assert.ok((await b.reply('theirs')).result);
});

test('case 03: progress after the response is dropped', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const steps = [{ progress: { progress: 1 } }, { reply: { ok: 1 } }, { progress: { progress: 2 } }];
  await client.sendScript(5, steps, { token: 'tok' });
  assert.deepEqual((await client.reply(5)).result, { ok: 1 });
  assert.deepEqual((await client.notification('notifications/progress')).params, {
    progressToken: 'tok',
    progress: 1,
  });
  await client.flush();
  assert.deepEqual(client.left, []);
});

test('case 03: progress with a token nobody gave is dropped', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  b.sendScript(1, [{ hold: 'b' }]); // in flight, but without a token: progress for it is nobody's
  const stray = (progressToken) =>
    JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    });
  await a.script([0, 999999, 'x', null, -1].map((token) => ({ out: stray(token) })));
  const [calls] = await a.scriptValues([{ seen: { method: 'tools/call' } }]);
  await a.script(calls.map(({ id }) => ({ out: stray(id) })));
  await a.scriptValues([{ release: 'b' }]);
  await b.reply(1);
  await a.flush();
  await b.flush();
  assert.deepEqual([...a.left, ...b.left], []);
});

test('case 13: a second initialize never reaches a shared child', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({ servers: { fake: fake({ journal }) } });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.client(relay)));
  const first = await Promise.all(clients.map((client) => client.initialize()));
  const again = await Promise.all(clients.map((client) => client.initialize()));
  for (const answer of [...first, ...again]) {
    assert.equal(answer.result.serverInfo.name, 'fake');
    assert.deepEqual(answer.result, first[0].result);
  }
  await Promise.all(clients.map((client) => client.flush()));
  const lines = readJournal(journal);
  assert.equal(lines.filter(({ event }) => event === 'start').length, 1, 'one process');
  const initializes = lines.filter(({ method }) => method === 'initialize');
  assert.equal(initializes.length, 1);
  const { params } = JSON.parse(initializes[0].text);
  assert.deepEqual(params.capabilities, {}, 'to a shared child the client has no capabilities');
  assert.match(params.clientInfo.name, /relay/i);
  assert.equal(lines.filter(({ method }) => method === 'notifications/initialized').length, 1);
});

test('case 14: tools/list with a cursor goes to the child, and gets its own page', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  const names = [];
  for (let cursor; ;) {
    const [fromA, fromB] = await Promise.all(
      [a, b].map((c) => c.request('tools/list', cursor && { cursor })),
    );
    assert.deepEqual(fromA.result, fromB.result);
    names.push(fromA.result.tools[0].name);
    cursor = fromA.result.nextCursor;
    if (cursor === undefined) break;
  }
  assert.deepEqual(names, ['script', 'echo', 'last']);
});

test('case 22: server/discover before initialize is answered at once, by the relay', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({ servers: { mute: fake({ journal, mute: true }) } });
  const client = await t.client(relay);
  const answer = await client.request('server/discover', {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  });
  assert.equal(answer.error.code, -32601);
  const ping = await client.request('ping');
  assert.deepEqual(ping.result, {}, 'the connection stays open');
  assert.ok(!readJournal(journal).some(({ method }) => method === 'server/discover'));
});

test('case 22: server/discover after initialize is not forwarded either', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  assert.equal((await client.request('server/discover', {})).error.code, -32601);
  assert.deepEqual(await seenBy(client, 'server/discover'), []);
});

test('case 27: escaped method names are routed as what they mean', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  client.sendText(
    '{"jsonrpc":"2.0","id":1,"method":"tools\\/call","params":{"name":"echo","arguments":{"x":1}}}',
  );
  assert.equal((await client.reply(1)).result.content[0].text, '{"x":1}');

  client.sendScript(2, [{ hold: 'h' }]);
  client.sendText('{"jsonrpc":"2.0","method":"notifications\\/cancelled","params":{"requestId":2}}');
  await client.scriptValues([{ wait: { method: 'notifications/cancelled' } }]);
  const [calls, cancels] = await client.scriptValues([
    { seen: { method: 'tools/call' } },
    { seen: { method: 'notifications/cancelled' } },
  ]);
  const target = calls.find(({ text }) => text.includes('"hold"'));
  assert.equal(JSON.parse(cancels[0].text).params.requestId, target.id);

  client.sendText(
    '{"jsonrpc":"2.0","method":"\\u006eotifications/cancelled","params":{"requestI\\u0064":3}}',
  );
  client.sendText(
    '{"jsonrpc":"2.0","id":4,"method":"initi\\u0061lize","params":{"protocolVersion":"2025-11-25"}}',
  );
  assert.equal((await client.reply(4)).result.serverInfo.name, 'fake');
  assert.equal((await seenBy(client, 'initialize')).length, 1);
  assert.equal((await seenBy(client, 'notifications/cancelled')).length, 1);
});

for (const [childVersion, requested, given] of [
  ['2025-11-25', '2024-11-05', '2024-11-05'],
  ['2025-11-25', '2025-06-18', '2025-06-18'],
  ['2025-11-25', '2025-11-25', '2025-11-25'],
  ['2024-11-05', '2025-11-25', '2024-11-05'],
  ['2025-03-26', '2025-06-18', '2025-03-26'],
  ['2025-11-25', '1999-01-01', '2025-11-25'],
  ['2025-11-25', '2026-07-28', '2025-11-25'],
]) {
  test(`case 30: a client of ${requested} behind a shared child of ${childVersion} gets ${given}`, async (t) => {
    const relay = await t.relay({ servers: { fake: fake({ version: childVersion }) } });
    // Another client first, so that what the second gets comes from the cache.
    await t.ready(relay, { protocolVersion: '2025-06-18' });
    const client = await t.client(relay);
    const answer = await client.initialize({ protocolVersion: requested });
    assert.equal(answer.result.protocolVersion, given);
    assert.equal(answer.result.serverInfo.name, 'fake');
    await client.flush();
  });
}

test("initialize answered from the cache keeps every other byte of the child's result", async (t) => {
  const result =
    '{"serverInfo" : {"name":"x\\u2764","version":"1"},"zeta":9007199254740993,"capabilities":{ },"protocolVersion":"2025-11-25","instructions":"a\\/b"}';
  const relay = await t.relay({
    servers: {
      fake: fake({ beforeReply: [{ out: `{"jsonrpc":"2.0","id":"$ID","result":${result}}` }] }),
    },
  });
  const client = await t.client(relay);
  client.sendText(
    '{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}',
  );
  const { text } = await client.take(({ msg }) => msg.id === 'i', 'the initialize answer');
  assert.ok(text.includes(result.replace('2025-11-25', '2025-06-18')), text);
});

test('ping is answered by the relay, also when the child is mute', async (t) => {
  const relay = await t.relay({ servers: { mute: fake({ mute: true }) } });
  const client = await t.client(relay);
  assert.deepEqual((await client.request('ping')).result, {});
});

test('notifications go only to clients that have sent initialized, and each gets them once', async (t) => {
  const relay = await t.relay({});
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  const half = await t.client(relay);
  await half.request('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'half', version: '1' },
  });
  const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
  await a.script([{ out: JSON.stringify(changed) }]);
  for (const client of [a, b]) {
    assert.deepEqual(await client.notification(changed.method), changed);
    await client.flush();
    assert.deepEqual(client.left, []);
  }
  await half.pingRelay();
  assert.deepEqual(half.left, []);
});

test('resources: subscriptions are counted per URI, updates go to their subscribers', async (t) => {
  const relay = await t.relay({});
  const [a, b, c] = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  const update = (uri) => ({
    out: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } }),
  });
  for (const client of [a, b])
    assert.ok((await client.request('resources/subscribe', { uri: 'x://1' })).result);
  assert.ok((await b.request('resources/subscribe', { uri: 'x://2' })).result);
  assert.equal((await seenBy(a, 'resources/subscribe')).length, 2, 'one per URI');

  await a.script([update('x://1'), update('x://2'), update('x://3')]);
  const urisAt = async (client) => {
    await client.flush();
    const uris = client.left.map(({ params }) => params.uri);
    for (const uri of uris) await client.take(({ msg }) => msg.params?.uri === uri, uri);
    return uris;
  };
  assert.deepEqual(await urisAt(a), ['x://1']);
  assert.deepEqual(await urisAt(b), ['x://1', 'x://2']);
  assert.deepEqual(await urisAt(c), []);

  assert.ok((await a.request('resources/unsubscribe', { uri: 'x://1' })).result);
  assert.deepEqual(await seenBy(c, 'resources/unsubscribe'), [], 'b still wants it');
  // URIs are compared as what they mean.
  await a.script([
    {
      out: '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:\\/\\/\\u0031"}}',
    },
  ]);
  assert.deepEqual(await urisAt(a), []);
  assert.deepEqual(await urisAt(b), ['x://1']);

  await b.close(); // gone without a word: both of its subscriptions are given back to the child
  await c.script([{ wait: { method: 'resources/unsubscribe', count: 2 } }]);
  const uris = (await seenBy(c, 'resources/unsubscribe')).map(({ text }) => JSON.parse(text).params.uri);
  assert.deepEqual(uris.sort(), ['x://1', 'x://2']);
});

test('logging: not offered, and messages are dropped, unless configured otherwise', async (t) => {
  const relay = await t.relay({});
  const client = await t.client(relay);
  const { result } = await client.initialize();
  assert.equal(result.capabilities.logging, undefined);
  assert.equal((await client.request('logging/setLevel', { level: 'debug' })).error.code, -32601);
  const message = {
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level: 'error', data: 'whose?' },
  };
  await client.script([{ out: JSON.stringify(message) }]);
  await client.flush();
  assert.deepEqual(client.left, []);
  assert.deepEqual(await seenBy(client, 'logging/setLevel'), []);
});

test('logging: with logMessages broadcast, each client gets from its own level up', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { logMessages: 'broadcast' } } } });
  const [verbose, terse, silent] = [await t.ready(relay), await t.ready(relay), await t.ready(relay)];
  await verbose.request('logging/setLevel', { level: 'debug' });
  await terse.request('logging/setLevel', { level: 'error' });
  const levels = (await seenBy(silent, 'logging/setLevel')).map(({ text }) => JSON.parse(text).params.level);
  assert.equal(levels.at(-1), 'debug', 'the child has the most verbose level that was asked for');
  const message = (level) => ({
    out: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: level } }),
  });
  await silent.script([message('debug'), message('error'), message('emergency')]);
  const got = async (client) => {
    await client.flush();
    return client.left
      .filter(({ method }) => method === 'notifications/message')
      .map(({ params }) => params.level);
  };
  assert.deepEqual(await got(verbose), ['debug', 'error', 'emergency']);
  assert.deepEqual(await got(terse), ['error', 'emergency']);
  assert.deepEqual(await got(silent), ['debug', 'error', 'emergency'], 'no level is no filter');
});

test('a request from a shared child is refused at once; its ping is answered', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  const [sampling, roots, ping] = await client.scriptValues([
    { request: { method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } } },
    { request: { method: 'roots/list', id: 'r-1' } },
    { request: { method: 'ping' } },
  ]);
  assert.equal(sampling.error.code, -32601);
  assert.equal(roots.error.code, -32601);
  assert.equal(roots.id, 'r-1');
  assert.deepEqual(ping.result, {});
  assert.deepEqual(client.left, []);
});

test('notifications that a shared child makes up are dropped', async (t) => {
  const relay = await t.relay({});
  const client = await t.ready(relay);
  await client.script([
    { out: '{"jsonrpc":"2.0","method":"notifications/x-unknown","params":{"secret":1}}' },
    { out: '{"jsonrpc":"2.0","method":"server.initialized","params":{}}' },
    { out: '{"jsonrpc":"2.0","id":999999,"result":{"nobody":"asked"}}' },
    { out: '{"jsonrpc":"2.0","id":"1","result":{"nobody":"asked"}}' },
  ]);
  await client.flush();
  assert.deepEqual(client.left, []);
});

test('tasks belong to who made them', async (t) => {
  const relay = await t.relay({
    servers: {
      fake: fake({
        capabilities: { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
      }),
    },
  });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  const status = (state) =>
    JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/tasks/status',
      params: { taskId: 't-1', status: state, createdAt: 'x', lastUpdatedAt: 'x', ttl: 60000 },
    });
  const made = { task: { taskId: 't-1', status: 'working', createdAt: 'x', lastUpdatedAt: 'x', ttl: 60000 } };
  a.send({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    // As real servers do it: the first status comes before the answer that names the task.
    params: {
      name: 'script',
      arguments: { steps: [{ out: status('working') }, { reply: made }] },
      task: { ttl: 60000 },
    },
  });
  assert.deepEqual((await a.reply(1)).result, made);
  assert.equal((await a.notification('notifications/tasks/status')).params.taskId, 't-1');
  assert.equal((await a.request('tasks/get', { taskId: 't-1' })).result.taskId, 't-1');
  for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
    assert.equal(
      (await b.request(method, { taskId: 't-1' })).error?.code,
      -32602,
      `${method} by somebody else`,
    );
  }
  await b.script([{ out: status('completed') }]);
  assert.equal((await a.notification('notifications/tasks/status')).params.status, 'completed');
  await b.flush();
  assert.deepEqual(b.left, []);
});

test('a request that waits for a starting child and is cancelled never reaches it', async (t) => {
  const journal = t.file('journal');
  const relay = await t.relay({
    servers: { fake: fake({ journal, beforeReply: [{ wait: { method: 'never', count: 1 } }] }) },
  });
  const client = await t.client(relay);
  client.send({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  });
  client.sendScript(1, []);
  client.notify('notifications/cancelled', { requestId: 1 });
  await client.pingRelay();
  client.sendScript(1, []); // the id is free again
  await client.pingRelay();
  assert.deepEqual(client.left, []);
  assert.ok(
    !readJournal(journal).some(
      ({ method }) => method === 'tools/call' || method === 'notifications/cancelled',
    ),
  );
});

test('with a child per session, clients do not meet', async (t) => {
  const relay = await t.relay({ relay: { servers: { fake: { sharing: 'session' } } } });
  const [a, b] = [await t.ready(relay), await t.ready(relay)];
  const [pidA] = await a.scriptValues([{ pid: 1 }]);
  const [pidB] = await b.scriptValues([{ pid: 1 }]);
  assert.notEqual(pidA, pidB);
  await a.script([
    { out: '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"to a"}}' },
  ]);
  assert.equal((await a.notification('notifications/message')).params.data, 'to a');
  const answer = a.scriptValues([{ request: { method: 'roots/list', id: 0 } }]);
  const { msg } = await a.take(({ msg: m }) => m.method === 'roots/list', 'roots/list');
  await a.send({ jsonrpc: '2.0', id: msg.id, result: { roots: [] } });
  assert.deepEqual(await answer, [{ jsonrpc: '2.0', id: 0, result: { roots: [] } }]);
  await b.flush();
  assert.deepEqual(b.left, []);
});

test('one bad client changes nothing for the others', async (t) => {
  const relay = await t.relay({});
  const good = await t.ready(relay);
  good.sendScript(1, [{ hold: 'x' }]);
  const bad = await t.ready(relay);
  bad.sendText('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"');
  assertRelayError(await bad.reply(null), 'PARSE_ERROR', { sent: false });
  bad.sendScript(1, [{ hold: 'y' }]);
  bad.stream.resetAndDestroy();
  await good.script([{ release: 'x' }]);
  assert.ok((await good.reply(1)).result);
});
