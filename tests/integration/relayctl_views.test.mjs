// agent-relayctl's lists and what it watches: agents, servers, watch; and what a hostile server can do to them.
import { assert, fake, scaled, test } from './lib/harness.mjs';
import { Ctl, assertCode, ctl, deadAddress, document, fakeRelay, mock, urlOf } from './lib/relayctl.mjs';

// ---- agents, servers, watch

test('agents: a table, a document; mock ones are marked', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const run = await ctl(relay, ['agents']);
  assertCode(run, 0);
  assert.match(run.stdout, /^live: 5 agents, /);
  assert.match(run.stdout, /\nID +MOCK +STATUS +NAME +TYPE /);
  assert.equal(run.stdout.match(/ mock /g).length, 5, 'the server says that its agents are mock ones');
  const list = document(await ctl(relay, ['agents', '--json']));
  assert.equal(list.source, 'live');
  assert.equal(list.agents.length, 5);
  assert.ok(list.agents.every((agent) => agent.id && agent.mock === true));
});

test('agents and watch: a list longer than a snapshot holds is said to be cut', async (t) => {
  const listOf = (count) => ({ agents: Array.from({ length: count }, (_, i) => ({ id: `a${i}` })) });
  const [whole, long] = [await fakeRelay(t, { 'agents/list': listOf(10_000) }), await fakeRelay(t, { 'agents/list': listOf(10_001) })];
  for (const [relay, cut, caption] of [
    [whole, false, /^live: 10000 agents, /],
    [long, true, /^live: only the first 10000 agents, /],
  ]) {
    const list = document(await ctl(relay, ['agents', '--json']));
    assert.deepEqual([list.agents.length, list.agentsCut], [10_000, cut]);
    assert.match((await ctl(relay, ['agents'])).stdout, caption);
    const run = new Ctl(relay, ['watch', '--json']);
    assert.equal((await run.document({ source: 'live', count: 10_000 })).agentsCut, cut);
    run.kill('SIGINT');
    assertCode(await run.end(), 130);
  }
});

test('agents: no relay is 4, with --policy mock the mock and 3; a server without agents is 1', async (t) => {
  const nobody = await deadAddress();
  const refused = await ctl(nobody, ['agents', '--json']);
  assertCode(refused, 4);
  assert.equal(document(refused).exit, 4);
  const mocked = await ctl(nobody, ['agents', '--policy', 'mock']);
  assertCode(mocked, 3);
  assert.match(mocked.stdout, /^mock: \d+ agents, made up/);
  const plain = await fakeRelay(t);
  const run = await ctl(plain, ['agents']);
  assertCode(run, 1);
  assert.match(run.stderr, /no way to list agents/);
});

test('agents --watch --json: live, stale when the relay is killed, live again by itself', async (t) => {
  const relay = await t.relay({ servers: mock(), exit: { code: null, signal: 'SIGKILL' } });
  const { address } = relay;
  const run = new Ctl(relay, ['agents', '--watch', '--json']);
  await run.document({ source: 'live' });
  relay.signal('SIGKILL');
  await relay.exited;
  await run.document({ source: 'stale' });
  await t.relay({ servers: mock(), relay: { listen: [urlOf(address)] } });
  await run.document({ source: 'live', state: 'live' });
  run.kill('SIGINT');
  assertCode(await run.end(), 130);
});

test('watch: states and notifications, through an outage', async (t) => {
  const first = await t.relay({ servers: mock(), exit: { code: null, signal: 'SIGKILL' } });
  const { address } = first;
  const run = new Ctl(first, ['watch', '--json']);
  const live = await run.document({ event: 'state', state: 'live' });
  assert.deepEqual([live.relay, live.server], ['up', 'up']);
  await run.document({ event: 'agents', source: 'live' });
  first.signal('SIGKILL');
  await first.exited;
  const degraded = await run.document({ event: 'state', state: 'degraded' });
  assert.equal(degraded.relay, 'down');
  assert.ok(degraded.error && degraded.suggestion);
  await t.relay({ servers: mock(), relay: { listen: [urlOf(address)] } });
  await run.document({ event: 'state', state: 'live' });
  run.kill('SIGTERM');
  assertCode(await run.end(), 143);
});

test('watch, agents --watch: the mock is not shown while the first connection is made, unless that takes long', async (t) => {
  const relay = await t.relay({ servers: mock() });
  const silent = await fakeRelay(t, { initialize: () => undefined, 'relay/ping': () => undefined });
  const any = () => true;
  for (const [to, state, source] of [
    [relay, 'live', 'live'],
    [await deadAddress(), 'degraded', 'mock'],
    [silent, 'connecting', 'mock'],
  ]) {
    const timeout = String(to === silent ? 300 : scaled(20_000));
    const agents = new Ctl(to, ['agents', '--watch', '--json', '--timeout', timeout]);
    const list = JSON.parse(await agents.line(any, 'the first agents'));
    assert.deepEqual([list.state, list.source], [state, source]);
    agents.kill('SIGINT');
    assertCode(await agents.end(), 130);
    const watch = new Ctl(to, ['watch', '--json', '--timeout', timeout]);
    const first = JSON.parse(await watch.line(any, 'the first event'));
    assert.deepEqual([first.event, first.state, first.source], ['state', state, source]);
    const second = JSON.parse(await watch.line(any, 'the second event'));
    assert.deepEqual([second.event, second.source], ['agents', source]);
    watch.kill('SIGINT');
    assertCode(await watch.end(), 130);
  }
  const human = new Ctl(silent, ['watch', '--timeout', '100']);
  assert.match(await human.line(any, 'a line'), /state {9}connecting {2}127.0.0.1:\d+: no answer yet$/);
  human.kill('SIGINT');
  assertCode(await human.end(), 130);
});

test('watch: starts without a relay, shows notifications harmlessly', async (t) => {
  const relay = await fakeRelay(t, {
    'agents/list': (message, send) => {
      send({ jsonrpc: '2.0', method: 'notifications/message', params: { data: '\u009b31m\u202e' } });
      return { agents: [] };
    },
  });
  const run = new Ctl(relay, ['watch']);
  const line = await run.line((text) => text.includes('notifications/message'), 'a notification');
  assert.match(
    line,
    /^\d\d:\d\d:\d\d\.\d{3} {2}notification {2}notifications\/message {2}\{"data":"\\u009b31m\\u202e"\}$/,
  );
  run.kill('SIGINT');
  assertCode(await run.end(), 130);
  const early = new Ctl(await deadAddress(), ['watch', '--json']);
  await early.document({ event: 'state', state: 'degraded' });
  early.kill('SIGINT');
  assertCode(await early.end(), 130);
});

test('servers: a table, a document, names, one by name', async (t) => {
  const relay = await t.relay({ servers: { one: fake(), two: fake() }, relay: { defaultServer: 'one' } });
  const run = await ctl(relay, ['servers']);
  assertCode(run, 0);
  assert.match(run.stdout, /^NAME +STATE +SHARING/);
  assert.match(run.stdout, /\ntwo +idle +shared/);
  assert.equal(document(await ctl(relay, ['servers', '--json'])).servers.length, 2);
  assert.deepEqual(
    document(await ctl(relay, ['servers', 'two', '--json'])).servers.map(({ name }) => name),
    ['two'],
  );
  assert.equal((await ctl(relay, ['servers', '--names'])).stdout, 'one\ntwo\n');
  const unknown = await ctl(relay, ['servers', 'three']);
  assertCode(unknown, 1);
  assert.match(unknown.stderr, /no server 'three'/);
  const some = await ctl(relay, ['servers', 'three', 'two', 'four', '--json']);
  assertCode(some, 1);
  const output = document(some);
  assert.deepEqual(output.servers.map(({ name }) => name), ['two']);
  assert.deepEqual([output.error.name, output.exit], ['NO_SUCH_SERVER', 1]);
  assert.match(output.error.message, /no server 'three', 'four'; /);
});

// ---- hostile servers

test('no text of a server reaches the output of a list unescaped', async (t) => {
  const evil = '\u001b]0;x\u0007\u009b2J\u202e\r\n\u007f';
  const relay = await fakeRelay(t, {
    'tools/list': { tools: [{ name: evil, description: evil, inputSchema: { properties: { [evil]: {} } } }] },
    'agents/list': { agents: [{ id: evil, name: evil, type: evil, status: evil }] },
    'relay/servers': { servers: [{ name: evil, state: evil, sharing: evil, note: evil }] },
    'relay/status': { health: evil, relay: { name: evil, version: evil }, servers: [], defaultServer: evil },
    'tools/call': { error: { code: -1, message: evil, data: evil } },
  });
  for (const args of [
    ['tools'],
    ['tools', '--names'],
    ['agents'],
    ['servers'],
    ['status'],
    ['status', '--no-start'],
    ['tool', 'x'],
  ]) {
    const run = await ctl(relay, args);
    assert.doesNotMatch(
      run.stdout + run.stderr,
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/,
      args.join(' '),
    );
    assert.equal(run.signal, null);
  }
});

test('answers of other shapes end with an error or a bare line, never with a crash', async (t) => {
  for (const shape of [
    null,
    7,
    'x',
    [],
    [[[]]],
    {},
    { tools: [7, null, {}], agents: [7, null, {}], servers: [7, {}] },
  ]) {
    const relay = await fakeRelay(t, {
      'tools/list': () => shape,
      'agents/list': () => shape,
      'relay/servers': () => shape,
      'relay/status': () => shape,
      'tools/call': () => shape,
    });
    for (const args of [
      ['tools'],
      ['agents'],
      ['servers'],
      ['status'],
      ['status', '--no-start'],
      ['tool', 'x'],
    ]) {
      const run = await ctl(relay, [...args, '--timeout', String(scaled(10_000))]);
      assert.equal(run.signal, null, `${args} ${JSON.stringify(shape)} ${run.stderr}`);
      assert.ok([0, 1, 3, 5].includes(run.code), `${args} ${JSON.stringify(shape)}: ${run.code}`);
    }
  }
});
