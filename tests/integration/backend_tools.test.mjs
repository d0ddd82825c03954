// agent-backend in front of servers whose tools differ: what it sends follows what they list.
import { assert, test, until } from './lib/harness.mjs';
import { addressOf, flags, quick, startBackend } from './lib/backend.mjs';

const string = { type: 'string' };
const number = { type: 'number' };
const words = (...list) => ({ type: 'string', enum: list });
const list = { type: 'array', items: string };

/** The tools that real servers list (names, properties, what is required), as far as the backend calls them. */
const shapes = {
  'claude-flow 2': {
    swarm_init: [{ topology: words('hierarchical', 'mesh', 'ring', 'star'), maxAgents: number, strategy: string }, ['topology']],
    agent_spawn: [{ type: words('coordinator', 'coder', 'tester'), name: string, capabilities: list, swarmId: string }, ['type']],
    agent_list: [{ swarmId: string }],
    task_orchestrate: [{ task: string, strategy: words('parallel', 'sequential', 'adaptive', 'balanced'), priority: words('low', 'medium', 'high', 'critical'), dependencies: list }, ['task']],
    task_status: [{ taskId: string }, ['taskId']],
  },
  'claude-flow 3.43': {
    agent_spawn: [{ agentType: string, agentId: string, swarmId: string, config: { type: 'object' } }, ['agentType']],
    agent_list: [{ status: string, domain: string }],
    swarm_init: [{ topology: string, maxAgents: number, strategy: string, config: { type: 'object' } }],
    task_create: [{ type: string, description: string, priority: words('low', 'normal', 'high', 'critical'), assignTo: list, tags: list }, ['type', 'description']],
    task_assign: [{ taskId: string, agentIds: list, unassign: { type: 'boolean' } }, ['taskId']],
    task_status: [{ taskId: string }, ['taskId']],
  },
  'ruv-swarm': {
    swarm_init: [{ topology: words('mesh', 'hierarchical', 'ring', 'star'), maxAgents: number, strategy: words('balanced', 'specialized', 'adaptive') }, ['topology']],
    agent_spawn: [{ type: string, name: string, capabilities: list }, ['type']],
    agent_list: [{ filter: string }],
    task_orchestrate: [{ task: string, strategy: words('parallel', 'sequential', 'adaptive'), priority: words('low', 'medium', 'high', 'critical'), maxAgents: number }, ['task']],
    task_status: [{ taskId: string, detailed: { type: 'boolean' } }],
  },
  'no agents at all': { echo: [{ message: string }, ['message']], 'get-sum': [{ a: number, b: number }, ['a', 'b']] },
};

/**
 * A server with these tools, a page each, that refuses what its schemas do not name. The tool "calls" gives what was called.
 * SECOND: a tool list that replaces the first once "swap" was called.
 */
const strict = `
  let shape = JSON.parse(process.env.SHAPE);
  const calls = [];
  const agents = [];
  const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
  const write = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
  let lists = 0;
  const answers = {
    swarm_init: () => ({ success: true, swarmId: 's-1' }),
    agent_spawn: ({ type, agentType }) => {
      const agent = { id: 'a-' + (agents.length + 1), type: type ?? agentType, status: 'idle' };
      agents.push(agent);
      return { success: true, agentId: agent.id, status: 'idle' };
    },
    agent_list: () => ({ agents }),
    task_orchestrate: () => ({ taskId: 't-1', status: 'orchestrated' }),
    task_create: ({ type, description }) => ({ taskId: 't-1', type, description, status: 'pending', assignedTo: [] }),
    task_assign: ({ taskId, agentIds }) => (agentIds ? { taskId, assignedTo: agentIds } : { taskId, error: 'nobody' }),
    task_status: ({ taskId }) =>
      taskId === 't-1' ? { taskId, status: 'completed' } : { taskId, status: 'not_found', error: 'Task not found' },
    echo: ({ message }) => ({ message }),
  };
  function refusal(name, given) {
    const [properties, required = []] = shape[name];
    const known = Object.keys(properties);
    const unknown = Object.keys(given).find((key) => !known.includes(key));
    if (unknown) return 'unknown argument ' + unknown + '; expected ' + known;
    const missing = required.find((key) => !(key in given));
    if (missing) return 'missing argument ' + missing;
    const bad = Object.keys(given).find((key) => properties[key].enum && !properties[key].enum.includes(given[key]));
    return bad && bad + ' must be one of ' + properties[bad].enum;
  }
  function answer({ name, arguments: given = {} }) {
    if (name === 'calls') return { result: text({ calls, lists }) };
    if (name === 'swap') {
      shape = JSON.parse(process.env.SECOND);
      write({ method: 'notifications/tools/list_changed' });
      return { result: text({}) };
    }
    if (!shape[name]) return { error: { code: -32601, message: 'Tool not found: ' + name } };
    if (name === 'agent_list') return { result: text(answers.agent_list()) };
    calls.push([name, given]);
    const why = refusal(name, given);
    return why ? { error: { code: -32603, message: why } } : { result: text(answers[name](given)) };
  }
  function page(cursor) {
    const names = Object.keys(shape);
    const at = Number(cursor ?? 0);
    lists += at === 0;
    const [properties, required] = shape[names[at]];
    const tool = { name: names[at], inputSchema: { type: 'object', properties, ...(required && { required }) } };
    return { tools: [tool], ...(at + 1 < names.length && { nextCursor: String(at + 1) }) };
  }
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const capabilities = { tools: { listChanged: true } };
    if (method === 'initialize')
      return write({ id, result: { protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: 's', version: '1' } } });
    if (method === 'ping') return write({ id, result: {} });
    if (method === 'tools/list') return write({ id, result: page(params?.cursor) });
    if (method === 'tools/call') return write({ id, ...answer(params) });
    write({ id, error: { code: -32601, message: 'Method not found' } });
  });`;

async function behind(t, shape, second = {}) {
  const env = { SHAPE: JSON.stringify(shape), SECOND: JSON.stringify(second) };
  const relay = await t.relay({ servers: { agents: { command: process.execPath, args: ['-e', strict], env } } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  await until(async () => (await backend.health()).source === 'live', 'live');
  const client = await t.ready(relay);
  const tool = async (name) => JSON.parse((await client.request('tools/call', { name, arguments: {} })).result.content[0].text);
  return { backend, tool };
}

const swarm = { topology: 'mesh', maxAgents: 5, strategy: 'balanced', enableNeural: true, customPrompt: 'p', agentTypes: ['coordinator', 'tester'] };

for (const [name, spawned, task] of [
  ['claude-flow 2', { type: 'tester', swarmId: 's-1' }, ['task_orchestrate', { task: 'x', priority: 'medium', strategy: 'balanced' }]],
  ['claude-flow 3.43', { agentType: 'tester', swarmId: 's-1' }, ['task_create', { type: 'feature', description: 'x', priority: 'normal' }]],
  ['ruv-swarm', { type: 'tester' }, ['task_orchestrate', { task: 'x', priority: 'medium' }]],
]) {
  test(`a swarm, a task and its status on ${name}`, async (t) => {
    const { backend, tool } = await behind(t, shapes[name]);
    const made = await backend.post('/api/bots/initialize-swarm', swarm);
    assert.deepEqual([made.status, made.json.swarm_id], [200, 's-1'], made.text);
    assert.deepEqual(made.json.agents.map(({ id, type }) => [id, type]), [['a-1', 'coordinator'], ['a-2', 'tester']]);
    await until(async () => (await backend.get('/api/bots/agents')).json.count === 2, 'the agents are seen');
    const submitted = await backend.post('/api/bots/submit-task', { task: 'x', priority: 'medium', strategy: 'balanced' });
    assert.deepEqual([submitted.status, submitted.json.taskId, submitted.json.message], [200, 't-1', 'Task submitted'], submitted.text);
    const done = await backend.get('/api/bots/task-status/t-1');
    assert.deepEqual([done.status, done.json.status], [200, 'completed'], done.text);
    const missing = await backend.get('/api/bots/task-status/t-2');
    assert.deepEqual([missing.status, missing.json.code], [404, 'TASK_NOT_FOUND'], missing.text);
    const { calls } = await tool('calls');
    assert.deepEqual(calls[0], ['swarm_init', { topology: 'mesh', maxAgents: 5, strategy: 'balanced' }]);
    assert.deepEqual(calls[2], ['agent_spawn', spawned]);
    assert.deepEqual(calls[3], task);
    if (name === 'claude-flow 3.43') {
      assert.equal(submitted.json.assignedTo, 'a-1', 'the coordinator');
      assert.deepEqual(calls[4], ['task_assign', { taskId: 't-1', agentIds: ['a-1'] }]);
    }
  });
}

test('a task that can be made and not assigned says so', async (t) => {
  const { task_create, task_assign } = shapes['claude-flow 3.43'];
  const without = await behind(t, { task_create });
  const alone = await without.backend.post('/api/bots/submit-task', { task: 'x' });
  assert.deepEqual([alone.status, alone.json.taskId, alone.json.assignedTo], [200, 't-1', null], alone.text);
  assert.match(alone.json.message, /no agent was given it: the server has no tool task_assign/);
  const nobody = await behind(t, { task_create, task_assign });
  const { json } = await nobody.backend.post('/api/bots/submit-task', { task: 'x' });
  assert.match(json.message, /no agent was given it: the server lists none/);
});

test('a server without such tools is named with those that it has, and called for nothing', async (t) => {
  const { backend, tool } = await behind(t, shapes['no agents at all']);
  for (const [request, names] of [
    [() => backend.post('/api/bots/submit-task', { task: 'x' }), /no tool task_orchestrate or task_create; it has echo, get-sum\.$/],
    [() => backend.post('/api/bots/initialize-swarm', swarm), /no tool swarm_init; it has echo, get-sum\.$/],
    [() => backend.get('/api/bots/task-status/t-1'), /no tool task_status; it has echo, get-sum\.$/],
  ]) {
    const { status, json, text } = await request();
    assert.deepEqual([status, json.code, json.details.mayHaveRun], [501, 'TOOL_NOT_OFFERED', false], text);
    assert.match(json.error, names);
  }
  const { swarm_init } = shapes['ruv-swarm'];
  const half = await behind(t, { swarm_init });
  assert.equal((await half.backend.post('/api/bots/initialize-swarm', swarm)).status, 501);
  assert.equal((await half.backend.post('/api/bots/initialize-swarm', { ...swarm, agentTypes: [] })).status, 200);
  assert.deepEqual((await tool('calls')).calls, []);
  assert.equal((await half.tool('calls')).calls.length, 1, 'no swarm without the agents that were asked for');
});

test('the list of tools is asked for once, and again when the server says that it changed', async (t) => {
  const { backend, tool } = await behind(t, shapes['ruv-swarm'], shapes['claude-flow 3.43']);
  const submit = () => backend.post('/api/bots/submit-task', { task: 'x' });
  for (let i = 0; i < 5; i++) assert.equal((await submit()).status, 200);
  const before = await tool('calls');
  assert.equal(before.calls.at(-1)[0], 'task_orchestrate');
  assert.ok(before.lists <= 3, `${before.lists} lists for five tasks: one of the backend's own, the library's, the relay's`);
  await tool('swap');
  await until(async () => (await submit()).json.assignedTo !== undefined, 'the new tool is used');
  assert.ok((await tool('calls')).calls.some(([name]) => name === 'task_create'));
});

test('without a relay a swarm and a task fail as before, wait, or are the mock\'s', async (t) => {
  const backend = await startBackend(t, { relay: '127.0.0.1:1', args: flags({ ...quick, 'call-timeout-ms': 500 }) });
  await until(async () => (await backend.health()).lastError, 'the first attempt has failed');
  for (const [path, body] of [['submit-task', { task: 'x' }], ['initialize-swarm', swarm]]) {
    const refused = await backend.post(`/api/bots/${path}`, body);
    assert.deepEqual([refused.status, refused.json.code, refused.json.details.mayHaveRun], [503, 'CONNECTION_REFUSED', false], refused.text);
    const waited = await backend.post(`/api/bots/${path}?whenDown=wait`, body);
    assert.deepEqual([waited.status, waited.json.code, waited.json.details.mayHaveRun], [504, 'TIMEOUT', false], waited.text);
    const mocked = await backend.post(`/api/bots/${path}?whenDown=mock`, body);
    assert.deepEqual([mocked.status, mocked.json.source], [200, 'mock'], mocked.text);
  }
});
