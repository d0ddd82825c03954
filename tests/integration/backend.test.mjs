// agent-backend against a real relay that is killed, frozen and brought back: what it serves, changes, and how it ends.
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, atMost, binDir, cleanEnvironment, scaled, test, until, within } from './lib/harness.mjs';
import { addressOf, answeringServer, backendBinary, flags, killed, nobody, quick, relayOn, serverOf, startBackend } from './lib/backend.mjs';

const mockServer = { command: path.join(binDir, 'agent-mock'), args: ['--seed', '7'] };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Every endpoint says the same source, and the shape that goes with it. */
async function looksLike(backend, source) {
  const seen = async (where) => {
    const { status, json } = await backend.get(where);
    assert.equal(status, 200, where);
    return json;
  };
  const agents = await seen('/api/bots/agents');
  assert.equal(agents.source, source);
  assert.equal(agents.success, true);
  assert.equal(agents.mcpConnected, source === 'live');
  assert.equal(agents.count, agents.agents.length);
  assert.equal(agents.error === null, source === 'live');
  const data = await seen('/api/bots/data');
  assert.equal(data.source, source);
  assert.equal(data.nodes.length, agents.count);
  assert.ok(data.edges.length > 0);
  const ids = new Set(data.nodes.map(({ id }) => id));
  assert.ok(data.edges.every((edge) => ids.has(edge.source) && ids.has(edge.target)));
  const status = await seen('/api/bots/status');
  assert.equal(status.source, source);
  assert.equal(status.telemetry.agent_counts.total, agents.count);
  assert.equal(status.data_source, source === 'live' ? 'hive_mind_tcp' : 'bots_client_fallback');
  if (source !== 'live') assert.notEqual(status.telemetry.system_health, 'healthy');
  const health = await seen('/api/v1/bots/health');
  assert.equal(health.source, source);
  assert.equal(health.status, source === 'live' ? 'healthy' : 'degraded');
  assert.equal(health.agents, agents.count);
  assert.match(health.since, ISO);
  for (const body of [agents, data, status]) {
    assert.equal(body.agentsAreMock, source === 'mock', 'the real agents are no mocks, the made-up ones are');
    assert.equal(typeof body.ageMs, 'number');
    assert.match(body.takenAt, ISO);
  }
  assert.ok(agents.agents.every((agent) => agent.mock === (source === 'mock')));
  return { agents, health };
}

// ---- the fallback policy

test('live, stale, mock, live again: each endpoint and the events show it', async (t) => {
  const first = await relayOn(t, 0, { exit: killed });
  const { port } = first.address;
  const backend = await startBackend(t, { relay: addressOf(first), args: flags(quick) });
  const events = await backend.events();
  await events.source('live');
  const { agents } = await looksLike(backend, 'live');
  assert.deepEqual(agents.agents.map(({ id }) => id), ['lead-1', 'coder-1']);
  assert.deepEqual(agents.agents[1].connections, ['lead-1']);
  assert.equal(agents.agents[1].health, null, 'a member that was not sent is null');

  const killedAt = performance.now();
  first.signal('SIGKILL');
  const stale = await events.source('stale');
  const seen = await looksLike(backend, 'stale');
  assert.deepEqual(seen.agents.agents.map(({ id }) => id), ['lead-1', 'coder-1'], 'the last live ones');
  assert.ok(seen.health.lastError.message.includes(String(port)), seen.health.lastError.message);
  assert.ok(seen.health.lastError.suggestion.length > 10);
  const mock = await events.source('mock');
  await looksLike(backend, 'mock');
  const { health } = await looksLike(backend, 'mock');
  assert.equal(health.lastError.code, 'ECONNREFUSED');
  assert.equal(health.relay.reach, 'down');
  assert.ok(health.attempts > 0);

  await first.exited;
  const second = await relayOn(t, port);
  const backAt = performance.now();
  const live = await events.source('live');
  const { health: again } = await looksLike(backend, 'live');
  assert.equal(again.links, 2);
  assert.equal(again.losses, 1);
  const ms = (from, to) => Math.round(to - from);
  t.figure(
    `backend: killed to stale ${ms(killedAt, stale.at)} ms, to mock ${ms(killedAt, mock.at)} ms (staleMax ` +
      `${scaled(quick['stale-max-ms'])}), back to live ${ms(backAt, live.at)} ms (cap ${scaled(quick['backoff-cap-ms'])})`,
  );
  const versions = events.all.filter(({ event }) => event === 'agents').map(({ id }) => Number(id));
  assert.ok(versions.every((version, i) => i === 0 || version > versions[i - 1]), 'never back in time');
  events.close();
  await second.stop();
});

test('a frozen relay is noticed, and its thawing too', async (t) => {
  const relay = await relayOn(t, 0);
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const events = await backend.events();
  await events.source('live');
  relay.signal('SIGSTOP');
  t.atEnd(() => relay.signal('SIGCONT'));
  await events.source('stale');
  const health = await backend.health();
  assert.equal(health.status, 'degraded');
  await events.source('mock');
  relay.signal('SIGCONT');
  await events.source('live');
  await looksLike(backend, 'live');
  events.close();
});

test('a relay that lives with a server that does not: degraded, with the one that failed', async (t) => {
  const broken = { command: process.execPath, args: ['-e', 'process.exit(3)'] };
  const relay = await t.relay({ servers: { agents: broken } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const health = await until(async () => {
    const now = await backend.health();
    return now.relay.reach === 'up' && now.server.reach === 'down' && now;
  }, 'the relay is up, its server is not');
  assert.equal(health.source, 'mock');
  assert.ok(health.lastError.message.length > 10);
});

test('without any relay: mock at once, health 200, the error names what was tried', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  await looksLike(backend, 'mock').catch(async () => {
    // The very first snapshot has no error to tell yet.
    await until(async () => (await backend.health()).lastError, 'the first attempt has failed');
    await looksLike(backend, 'mock');
  });
  const health = await backend.health();
  assert.equal(health.relay.address, nobody);
  assert.equal(health.relay.peer, nobody);
  assert.equal(health.links, 0);
});

test('live with mock agents: live is what it is, mock is what they are', async (t) => {
  const relay = await t.relay({ servers: { mock: mockServer } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const events = await backend.events();
  const { data } = await events.source('live');
  assert.equal(data.agentsAreMock, true);
  assert.ok(data.agents.every(({ mock }) => mock));
  assert.equal(data.health.agentsAreMock, true);
  assert.equal((await backend.health()).status, 'healthy');
  events.close();
});

// ---- what changes things

test('a swarm with its agents, a task, its status', async (t) => {
  const relay = await relayOn(t, 0);
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const events = await backend.events();
  await events.source('live');
  const swarm = await backend.post('/api/bots/initialize-swarm', { topology: 'mesh', agentTypes: ['coder', 'tester'] });
  assert.equal(swarm.status, 200, swarm.text);
  assert.equal(swarm.json.swarm_id, 's-2');
  assert.equal(swarm.json.source, 'live');
  assert.equal(swarm.json.mock, false);
  assert.deepEqual(swarm.json.agents.map(({ type }) => type), ['coder', 'tester']);
  const { id } = swarm.json.agents[1];
  await events.inbox.take(
    ({ event, data }) => event === 'agents' && data.agents.some((agent) => agent.id === id),
    'the new agent in an event',
  );
  const task = await backend.post('/api/bots/submit-task', { task: 'x', priority: 'high' });
  assert.deepEqual([task.status, task.json.taskId, task.json.status], [200, 't-1', 'pending']);
  const status = await backend.get('/api/bots/task-status/t-1');
  assert.deepEqual([status.status, status.json.status, status.json.task.progress], [200, 'completed', 100]);
  const missing = await backend.get('/api/bots/task-status/t%2D9%20x');
  assert.deepEqual([missing.status, missing.json.code], [404, 'TASK_NOT_FOUND']);
  events.close();
});

test('the mock server takes what the backend takes: the largest task, the longest id, every choice', async (t) => {
  const relay = await t.relay({ servers: { mock: mockServer } });
  const live = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await live.health()).source === 'live', 'live');
  const down = await startBackend(t, { relay: nobody, args: flags(quick) });
  for (const [backend, source, query] of [[live, 'live', ''], [down, 'mock', '?whenDown=mock']]) {
    const submit = (task, more) => backend.post(`/api/bots/submit-task${query}`, { task, ...more });
    for (const size of [4096, 4097, 16_384]) {
      const { status, json, text } = await submit('x'.repeat(size));
      assert.deepEqual([status, json.source], [200, source], text);
    }
    const more = await submit('x'.repeat(16_385));
    assert.deepEqual([more.status, more.json.code], [400, 'INVALID_REQUEST'], more.text);
    for (const strategy of ['adaptive', 'balanced', 'parallel', 'sequential', 'specialized'])
      for (const priority of ['low', 'medium', 'high', 'critical'])
        assert.equal((await submit('x', { strategy, priority })).status, 200, `${strategy} ${priority}`);
    for (const length of [128, 129, 256]) {
      const { status, json, text } = await backend.get(`/api/bots/task-status/${'a'.repeat(length)}${query}`);
      assert.deepEqual([status, json.code], [404, 'TASK_NOT_FOUND'], text);
    }
    const swarm = { topology: 'star', maxAgents: 100, customPrompt: 'x'.repeat(16_384), agentTypes: ['w'.repeat(64)] };
    const made = await backend.post(`/api/bots/initialize-swarm${query}`, swarm);
    assert.equal(made.status, 200, made.text);
  }
});

test('standard error has one line for each change of state and source, with the reason', async (t) => {
  const first = await relayOn(t, 0, { exit: killed });
  const address = addressOf(first);
  const backend = await startBackend(t, { relay: address, args: flags(quick) });
  const line = (pattern) => backend.lines.take((text) => pattern.test(text), String(pattern));
  await line(new RegExp(`^agent-backend: live: 2 agents from the relay at ${address}$`));
  first.signal('SIGKILL');
  await line(/^agent-backend: degraded: serving the last live agents, marked stale: .*(refused|closed|reset)/);
  await line(/^agent-backend: degraded: serving mock agents: .*refused/);
  await first.exited;
  await relayOn(t, first.address.port);
  await line(/^agent-backend: live: 2 agents from .*; it was away for \d/);
  assert.equal(backend.stderr.trimEnd().split('\n').length, 5, backend.stderr);
});

test('what was made is counted in words', async (t) => {
  const relay = await relayOn(t, 0);
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const message = async (agentTypes) => (await backend.post('/api/bots/initialize-swarm', { agentTypes })).json.message;
  assert.match(await message(undefined), /^Swarm initialized; no agents were asked for/);
  assert.equal(await message(['coder']), 'Swarm initialized with 1 agent');
  assert.equal(await message(['coder', 'tester']), 'Swarm initialized with 2 agents');
});

test('without agents: no telemetry, and where it would have come from', async (t) => {
  const relay = await t.relay({ servers: { agents: serverOf([]) } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const { status, json } = await backend.get('/api/bots/status');
  assert.deepEqual([status, json.success, json.code], [503, false, 'NO_AGENTS']);
  assert.ok(json.details.suggestion.length > 10);
  assert.deepEqual([json.source, json.state, json.agentsAreMock], ['live', 'live', false]);
  assert.match(json.timestamp, ISO);
  assert.match(json.takenAt, ISO);
  for (const key of ['ageMs', 'version']) assert.equal(typeof json[key], 'number');
});

test('a swarm that was made in part names what there is', async (t) => {
  const relay = await relayOn(t, 0);
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const { status, json } = await backend.post('/api/bots/initialize-swarm', { agentTypes: ['coder', 'refused', 'tester'] });
  assert.equal(status, 502);
  assert.equal(json.success, false);
  assert.equal(json.code, 'AGENTS_NOT_SPAWNED');
  assert.match(json.error, /2 of its 3 agents were not: agent_spawn: no room for refused/);
  assert.equal(json.details.swarm_id, 's-2');
  assert.deepEqual(json.details.agents.map(({ type }) => type), ['coder']);
});

const textResult = (value) => ({ result: { content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] } });

test('an answer that names nothing is no success, and its text is passed on', async (t) => {
  const nameless = [
    [{ result: [1, 2] }, /answered: \[1,2\]$/],
    [{ result: 'hello' }, /answered: hello$/],
    [textResult('I will see to it'), /answered: I will see to it$/],
    [textResult([1, 2]), /answered: \[1,2\]$/],
    [textResult({ success: true, message: 'Tool executed' }), /answered: .*Tool executed/],
    [textResult({ success: true, taskId: '' }), /answered: /],
    [{ result: { content: [] } }, /answered: nothing$/],
    [textResult(`red \u001b[31m\u202e ${'\u{1F600}'.repeat(2000)}`), /answered: red \[31m \u{1F600}+\.\.\.$/u],
  ];
  const replies = nameless.map(([reply]) => reply);
  const server = answeringServer({ task_orchestrate: replies, swarm_init: replies, agent_spawn: replies });
  const relay = await t.relay({ servers: { agents: server } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  for (const [reply, words] of nameless) {
    const what = JSON.stringify(reply).slice(0, 100);
    for (const [where, body] of [['/api/bots/submit-task', { task: 'x' }], ['/api/bots/initialize-swarm', {}]]) {
      const { status, json } = await backend.post(where, body);
      assert.deepEqual([status, json.success, json.code, json.details.mayHaveRun], [502, false, 'BAD_ANSWER', true], what);
      assert.match(json.error, words);
      assert.ok(Buffer.byteLength(json.error) < 512);
    }
  }
  for (const [, words] of nameless) {
    const { status, json } = await backend.post('/api/bots/initialize-swarm', { agentTypes: ['coder'] });
    assert.deepEqual([status, json.code, json.details.cause, json.details.mayHaveRun], [502, 'AGENTS_NOT_SPAWNED', 'BAD_ANSWER', true]);
    assert.match(json.error, words);
    assert.deepEqual([json.details.swarm_id, json.details.agents], ['s-2', []]);
  }
});

test('ids are taken as servers write them; a member that was not sent is null', async (t) => {
  const server = answeringServer({
    task_orchestrate: [textResult({ taskId: 12345 }), textResult({ task_id: 't', status: 7 }), textResult({ task: { id: 'n', status: 'queued' } })],
    swarm_init: [textResult({ swarmId: 9007199254740993 }), { result: { id: 's' } }],
    agent_spawn: [textResult({ agentId: 1.5e3 }), textResult({ agent: { id: 'a', name: 'Ann', status: 'idle' } })],
    task_status: [textResult('half done'), { result: 'done' }, textResult({ status: 'running' }), { result: { content: [] } }],
  });
  const relay = await t.relay({ servers: { agents: server } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const tasks = [];
  for (let i = 0; i < 3; i++) tasks.push((await backend.post('/api/bots/submit-task', { task: 'x' })).json);
  assert.deepEqual(tasks.map(({ taskId, status }) => [taskId, status]), [['12345', null], ['t', null], ['n', 'queued']]);
  const swarms = [];
  for (let i = 0; i < 2; i++) swarms.push((await backend.post('/api/bots/initialize-swarm', { agentTypes: ['coder'] })).json);
  assert.deepEqual(swarms.map(({ swarm_id: id }) => id), ['9007199254740992', 's']);
  const [[first], [second]] = swarms.map(({ agents }) => agents);
  assert.deepEqual([first.id, first.name, first.status], ['1500', null, null]);
  assert.deepEqual([second.id, second.name, second.status, second.swarm_id], ['a', 'Ann', 'idle', 's']);
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push((await backend.get('/api/bots/task-status/t')).json);
  assert.deepEqual(
    seen.map(({ status, task }) => [status, task]),
    [[null, 'half done'], [null, 'done'], ['running', { status: 'running' }], [null, null]],
  );
});

test('while the relay is down nothing is pretended: an error that names what refused, unless a mock was asked for', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  await until(async () => (await backend.health()).lastError, 'the first attempt has failed');
  const requests = [
    () => backend.post('/api/bots/submit-task', { task: 'x' }),
    () => backend.post('/api/bots/initialize-swarm', {}),
    () => backend.get('/api/bots/task-status/t-1'),
  ];
  for (const request of requests) {
    const { status, json } = await request();
    assert.equal(status, 503);
    assert.equal(json.success, false);
    assert.equal(json.code, 'CONNECTION_REFUSED');
    assert.ok(json.error.includes(nobody), json.error);
    assert.ok(json.details.suggestion.length > 10);
    assert.equal(json.details.mayHaveRun, false);
  }
  const mocked = await backend.post('/api/bots/submit-task?whenDown=mock', { task: 'x' });
  assert.equal(mocked.status, 200, mocked.text);
  assert.deepEqual([mocked.json.source, mocked.json.mock], ['mock', true]);
  assert.match(mocked.json.message, /mock/);
  const { status: none, json: refusal } = await backend.get('/api/bots/task-status/t-1?whenDown=mock');
  assert.deepEqual([none, refusal.details.source, refusal.details.mayHaveRun], [404, 'mock', false], 'the refusal of a mock says that it is one');
  const status = await backend.get(`/api/bots/task-status/${mocked.json.taskId}?whenDown=mock`);
  assert.deepEqual([status.status, status.json.source], [200, 'mock'], status.text);
  const swarm = await backend.post('/api/bots/initialize-swarm', { agentTypes: ['coder'], whenDown: 'mock' });
  assert.deepEqual([swarm.status, swarm.json.source, swarm.json.mock], [200, 'mock', true], swarm.text);
  assert.equal(swarm.json.agents.length, 1);
  // The mock ends its oldest swarm for the ninth: one that is still being filled is then refused further agents.
  const many = { topology: 'star', maxAgents: 100, agentTypes: Array.from({ length: 100 }, () => 'coder'), whenDown: 'mock' };
  const half = await until(async () => {
    const swarms = await Promise.all(Array.from({ length: 12 }, () => backend.post('/api/bots/initialize-swarm', many)));
    return swarms.find(({ json }) => json.code === 'AGENTS_NOT_SPAWNED');
  }, 'a swarm that the mock made in part');
  assert.deepEqual([half.json.details.source, half.json.details.mock, half.json.details.mayHaveRun], ['mock', true, false]);
  assert.equal(half.text.split('"source"').length, 2, 'each member stands once');
});

test('whenDown=wait waits for the relay, and no longer than the call may take', async (t) => {
  const relay = await relayOn(t, 0, { exit: killed });
  const { port } = relay.address;
  relay.signal('SIGKILL');
  await relay.exited;
  const args = [...flags(quick), `--call-timeout-ms=${scaled(1500)}`];
  const backend = await startBackend(t, { relay: `127.0.0.1:${port}`, args });
  const late = await backend.post('/api/bots/submit-task', { task: 'x', whenDown: 'wait' });
  assert.deepEqual([late.status, late.json.code, late.json.details.mayHaveRun], [504, 'TIMEOUT', false], late.text);
  assert.match(late.json.error, new RegExp(`not sent: .*127\\.0\\.0\\.1:${port}.*refused`));
  const patient = await startBackend(t, { relay: `127.0.0.1:${port}`, args: flags(quick) });
  const waiting = patient.post('/api/bots/submit-task', { task: 'x', whenDown: 'wait' });
  await until(async () => (await patient.health()).waiting === 1, 'the call waits');
  await relayOn(t, port);
  const { status, json } = await waiting;
  assert.deepEqual([status, json?.taskId, json?.source], [200, 't-1', 'live']);
});

test('a server that ends is shown with its state and its exit', async (t) => {
  const ending = answeringServer({ task_orchestrate: ['exit'] });
  const relay = await t.relay({ servers: { agents: ending } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const { status, json } = await backend.post('/api/bots/submit-task', { task: 'x' });
  assert.equal(status, 503, json.error);
  assert.equal(json.code, 'SERVER_UNAVAILABLE');
  assert.match(json.error, /server agents is .*exited with status 3/);
  assert.ok(json.details.suggestion.length > 10);
});

test('a loss while a task is handed over: it may have run, and nothing is repeated', async (t) => {
  const relay = await relayOn(t, 0, { exit: killed });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const lost = backend.post('/api/bots/submit-task', { task: 'never' });
  await until(async () => (await backend.health()).inFlight > 0, 'the call is under way');
  relay.signal('SIGKILL');
  const { status, json } = await lost;
  assert.deepEqual([status, json.code, json.details.mayHaveRun], [502, 'CONNECTION_LOST', true]);
});

// ---- starting and ending

const run = (args, env) => spawnSync(backendBinary, args, { encoding: 'utf8', env: cleanEnvironment(env), timeout: 20_000 });

test('wrong options end it with code 2 and say what to write', async () => {
  const cases = [
    [['--poll-ms', 'often'], /--poll-ms is "often"; write milliseconds/],
    [['--unknown'], /there is no flag --unknown; agent-backend --help lists all/],
    [['--relay', 'http://x:1'], /http/],
    [['--listen', '8080'], /write HOST:PORT/],
    [['--heartbeat-ms'], /needs a value/],
    [['--dead-after-ms=10', '--heartbeat-ms=1000'], /^agent-backend: --dead-after-ms is not above --heartbeat-ms/],
    [['--allow-origin', 'https://x/'], /--allow-origin is "https:\/\/x\/"; write .*scheme:\/\/host/],
  ];
  for (const [args, wanted] of cases) {
    const { status, stderr } = run(['--listen', '127.0.0.1:0', ...args]);
    assert.equal(status, 2, `${args}: ${stderr}`);
    assert.match(stderr, wanted);
    assert.match(stderr, /^agent-backend: /);
  }
  assert.equal(run([], { AGENT_STALE_MAX_MS: 'x' }).status, 2);
});

test('--help lists every option with its variable, --version the version', async () => {
  const { status, stdout } = run(['--help']);
  assert.equal(status, 0);
  const variables = ['BACKEND_LISTEN', 'CONTROL_URL', 'HEALTH_URL', 'STALE_MAX_MS', 'POLL_MS', 'HEARTBEAT_MS', 'DEAD_AFTER_MS'];
  for (const variable of variables) assert.ok(stdout.includes(`AGENT_${variable} `), variable);
  for (const flag of Object.keys(quick)) assert.ok(stdout.includes(`--${flag} `), flag);
  assert.match(run(['--version']).stdout, /^agent-backend \d+\.\d+\.\d+\n$/);
  const full = fs.openSync('/dev/full', 'w');
  for (const flag of ['--help', '--version']) {
    const end = spawnSync(backendBinary, [flag], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    assert.equal(end.status, 1, 'what nobody could read was not said');
    assert.match(end.stderr, /standard output/);
  }
  fs.closeSync(full);
});

test('a port in use ends it with code 3; the health check asks the one that serves', async (t) => {
  const backend = await startBackend(t, { relay: nobody, args: flags(quick) });
  const listen = new URL(backend.url).host;
  const second = run(['--listen', listen]);
  assert.equal(second.status, 3);
  assert.match(second.stderr, new RegExp(`cannot listen on ${listen.replaceAll('.', '\\.')}: .*in use.*--listen`));
  for (const word of ['health', '--health']) {
    const check = run([word, '--listen', listen]);
    assert.equal(check.status, 0, check.stderr);
    assert.equal(JSON.parse(check.stdout).source, 'mock');
  }
  assert.equal(run(['health'], { AGENT_BACKEND_LISTEN: listen }).status, 0);
  await backend.stop();
  assert.equal(run(['health', '--listen', listen]).status, 1);
});

test('SIGTERM and SIGINT end it soon, whatever is under way', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const relay = await relayOn(t, 0);
    const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
    await until(async () => (await backend.health()).source === 'live', 'live');
    const events = await backend.events();
    await events.source('live');
    const task = backend.post('/api/bots/submit-task', { task: 'never' });
    await until(async () => (await backend.health()).inFlight > 0, 'the call is under way');
    const idle = backend.raw();
    await within(new Promise((resolve) => idle.socket.once('connect', resolve)), 'connected');
    const { code } = await backend.stop(signal);
    assert.equal(code, 0);
    const { status, json } = await task;
    assert.deepEqual([status, json.code], [503, 'SHUTTING_DOWN']);
    await assert.rejects(events.inbox.take(({ event }) => event === 'nothing', 'its end'), /the stream ended/);
    if (!/address|thread/.test(binDir)) assert.ok(backend.stopMs < atMost(2000), `${backend.stopMs} ms`);
    t.figure(`backend: ${signal} to exit ${Math.round(backend.stopMs)} ms`);
  }
});

test('a backend that is ended while it connects, and at once', async (t) => {
  for (let i = 0; i < 10; i++) {
    const backend = await startBackend(t, { relay: 'name.invalid:9500', args: flags(quick) });
    assert.equal((await backend.stop()).code, 0);
  }
});
