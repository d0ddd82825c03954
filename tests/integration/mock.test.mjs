// The built-in mock, through the relay: the shapes that users of the systems before it know.
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, binDir, test } from './lib/harness.mjs';

const mockBinary = path.join(binDir, 'agent-mock');
const NOW = '2026-01-02T03:04:05Z';
const servers = { mock: { command: mockBinary, args: ['--seed', '7', '--now', NOW] } };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const fields = (object, spec, where) => {
  for (const [name, type] of Object.entries(spec)) {
    const value = object[name];
    const actual = Array.isArray(value) ? 'array' : typeof value;
    if (type === 'iso') assert.match(String(value), ISO, `${where}.${name}`);
    else assert.equal(actual, type, `${where}.${name} is ${JSON.stringify(value)}`);
  }
};

const AGENT = {
  id: 'string',
  type: 'string',
  name: 'string',
  status: 'string',
  health: 'number',
  capabilities: 'array',
  swarmId: 'string',
  createdAt: 'iso',
  lastActivity: 'iso',
  metrics: 'object',
  mock: 'boolean',
};
const METRICS = {
  tasksCompleted: 'number',
  tasksActive: 'number',
  successRate: 'number',
  cpuUsage: 'number',
  memoryUsage: 'number',
};

function checkAgents(agents) {
  assert.ok(agents.length > 0);
  for (const agent of agents) {
    fields(agent, AGENT, agent.id);
    fields(agent.metrics, METRICS, `${agent.id}.metrics`);
    assert.equal(agent.mock, true);
  }
}

/** The object inside an MCP tool result, as its clients dig it out. */
const unwrap = (answer) => JSON.parse(answer.result.content[0].text);

async function tool(client, name, args = {}) {
  const answer = await client.request('tools/call', { name, arguments: args });
  assert.ok(answer.result && !answer.result.isError, `${name}: ${JSON.stringify(answer)}`);
  return unwrap(answer);
}

test('the default relay serves the mock with no configuration', async (t) => {
  const relay = await t.relay({ args: ['--listen', '127.0.0.1:0'], config: null });
  const client = await t.sdk(relay);
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  for (const name of [
    'agent_list',
    'swarm_init',
    'agent_spawn',
    'swarm_status',
    'task_orchestrate',
    'task_status',
    'echo',
  ]) {
    assert.ok(names.includes(name), `${name} among ${names}`);
  }
  const result = await client.callTool({ name: 'agent_list', arguments: { filter: 'all' } });
  const { agents } = JSON.parse(result.content[0].text);
  assert.equal(agents.length, 5);
  assert.deepEqual(agents.map(({ type }) => type).sort(), [
    'analyst',
    'coder',
    'coordinator',
    'researcher',
    'tester',
  ]);
  assert.ok(agents.every(({ mock }) => mock === true));
});

test('the bare initialize of the agent-control client, with protocolVersion 0.1.0', async (t) => {
  const relay = await t.relay({ servers });
  const client = await t.client(relay);
  // Its reader takes exactly one line as the answer: nothing may come uncalled for.
  const answer = await client.request(
    'initialize',
    { protocolVersion: '0.1.0', clientInfo: { name: 'rust-backend', version: '1.0.0' } },
    { id: '1' },
  );
  assert.equal(typeof answer.result.serverInfo.name, 'string');
  assert.equal(typeof answer.result.protocolVersion, 'string');
  const list = await client.request('agents/list', {}, { id: '2' });
  checkAgents(list.result.agents);
  assert.deepEqual(client.left, []);
});

test('agents/list, and its filter', async (t) => {
  const relay = await t.relay({ servers });
  const client = await t.ready(relay);
  const { agents } = (await client.request('agents/list', {})).result;
  checkAgents(agents);
  assert.equal(agents.length, 5);
  const idle = (await client.request('agents/list', { status: 'idle' })).result.agents;
  assert.deepEqual(
    idle.map(({ id }) => id),
    ['tester-001'],
  );
  const coders = (await client.request('agents/list', { type: 'coder' })).result.agents;
  assert.deepEqual(
    coders.map(({ id }) => id),
    ['coder-001'],
  );
});

test('bare swarm.initialize, visualization.snapshot and metrics.get', async (t) => {
  const relay = await t.relay({ servers });
  const client = await t.ready(relay);
  const bare = async (name, args) => (await client.request('tools/call', { name, arguments: args })).result;

  const swarm = await bare('swarm.initialize', {
    topology: 'hierarchical',
    maxAgents: 20,
    agentTypes: ['coordinator', 'coder'],
  });
  fields(
    swarm,
    { status: 'string', topology: 'string', agentTypes: 'array', swarmId: 'string', timestamp: 'iso' },
    'swarm',
  );
  assert.equal(swarm.status, 'initialized');
  assert.equal(swarm.topology, 'hierarchical');
  assert.match(swarm.swarmId, /^swarm-/);
  assert.equal(swarm.content, undefined, 'bare: not wrapped in content');

  const snapshot = await bare('visualization.snapshot', { includePositions: true, includeConnections: true });
  fields(
    snapshot,
    {
      timestamp: 'iso',
      agentCount: 'number',
      agents: 'array',
      connections: 'array',
      metrics: 'object',
      positions: 'object',
    },
    'snapshot',
  );
  checkAgents(snapshot.agents);
  assert.equal(snapshot.agentCount, snapshot.agents.length);
  for (const connection of snapshot.connections) {
    fields(
      connection,
      {
        id: 'string',
        from: 'string',
        to: 'string',
        messageCount: 'number',
        lastActivity: 'iso',
        strength: 'number',
      },
      'connection',
    );
    assert.ok(connection.strength >= 0.5 && connection.strength <= 1);
  }
  for (const { id } of snapshot.agents)
    fields(snapshot.positions[id], { x: 'number', y: 'number', z: 'number' }, `position of ${id}`);
  const without = await bare('visualization.snapshot', {
    includePositions: false,
    includeConnections: false,
  });
  assert.equal(typeof without.positions, 'object', 'strict readers require it even then');

  const metrics = await bare('metrics.get', { includeAgents: true, includePerformance: true });
  fields(metrics, { timestamp: 'iso', system: 'object', agents: 'object', performance: 'object' }, 'metrics');
  fields(metrics.system, { uptime: 'number', memoryUsage: 'object', cpuUsage: 'object' }, 'system');
  // The union of what the one side sends and the other requires.
  fields(
    metrics.agents,
    {
      total: 'number',
      totalAgents: 'number',
      byType: 'object',
      byStatus: 'object',
      bySource: 'object',
      avgHealth: 'number',
      avgCpuUsage: 'number',
      avgMemoryUsage: 'number',
    },
    'agents',
  );
  fields(
    metrics.performance,
    {
      fps: 'number',
      updateTime: 'number',
      nodeCount: 'number',
      cacheAge: 'number',
      updateInterval: 'number',
    },
    'performance',
  );
  assert.notEqual(metrics.performance.sourcesAvailable, undefined);
});

test('the MCP agent tools: shapes, and spawned agents and tasks that are there afterwards', async (t) => {
  const relay = await t.relay({ servers });
  const client = await t.ready(relay);
  const swarm = await tool(client, 'swarm_init', { topology: 'mesh', maxAgents: 8, strategy: 'balanced' });
  fields(
    swarm,
    {
      success: 'boolean',
      swarmId: 'string',
      topology: 'string',
      maxAgents: 'number',
      strategy: 'string',
      status: 'string',
      timestamp: 'iso',
    },
    'swarm_init',
  );
  const spawned = await tool(client, 'agent_spawn', { type: 'optimizer', swarmId: swarm.swarmId });
  fields(
    spawned,
    {
      success: 'boolean',
      agentId: 'string',
      type: 'string',
      name: 'string',
      status: 'string',
      capabilities: 'array',
      timestamp: 'iso',
    },
    'agent_spawn',
  );
  const list = await tool(client, 'agent_list', { filter: 'all' });
  fields(
    list,
    { success: 'boolean', swarmId: 'string', agents: 'array', count: 'number', timestamp: 'iso' },
    'agent_list',
  );
  assert.equal(list.count, list.agents.length);
  assert.ok(
    list.agents.some(({ id }) => id === spawned.agentId),
    'the spawned agent is listed',
  );
  assert.ok(list.agents.every(({ mock }) => mock === true));
  const bare = (await client.request('agents/list', {})).result.agents;
  assert.ok(
    bare.some(({ id }) => id === spawned.agentId),
    'in both views',
  );
  const status = await tool(client, 'swarm_status');
  fields(
    status,
    {
      success: 'boolean',
      swarmId: 'string',
      topology: 'string',
      agentCount: 'number',
      activeAgents: 'number',
      taskCount: 'number',
      pendingTasks: 'number',
      completedTasks: 'number',
      timestamp: 'iso',
    },
    'swarm_status',
  );
  const task = await tool(client, 'task_orchestrate', {
    task: 'write a test',
    priority: 'high',
    strategy: 'adaptive',
  });
  fields(
    task,
    {
      success: 'boolean',
      taskId: 'string',
      task: 'string',
      strategy: 'string',
      priority: 'string',
      status: 'string',
      timestamp: 'iso',
    },
    'task_orchestrate',
  );
  const seen = await tool(client, 'task_status', { taskId: task.taskId });
  assert.equal(seen.taskId ?? seen.task?.taskId ?? seen.id, task.taskId, JSON.stringify(seen));
});

test('unknown tools and methods are errors, not cheerful nonsense', async (t) => {
  const relay = await t.relay({ servers });
  const client = await t.ready(relay);
  const answer = await client.request(
    'tools/call',
    { name: 'no_such_tool', arguments: {} },
    { id: 'keep-me' },
  );
  assert.equal(answer.id, 'keep-me');
  assert.ok(answer.error || answer.result.isError);
  assert.equal((await client.request('no/such/method')).error.code, -32601);
});

test('two clients with equal ids each get their own answer', async (t) => {
  const relay = await t.relay({ servers });
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.ready(relay)));
  await Promise.all(
    clients.map(async (client, n) => {
      for (let id = 1; id <= 20; id++) {
        const answer = await client.request(
          'tools/call',
          { name: 'echo', arguments: { message: `${n}-${id}` } },
          { id },
        );
        assert.match(answer.result.content[0].text, new RegExp(`${n}-${id}`));
      }
    }),
  );
});

test('agent-mock --seed --now is reproducible to the byte', () => {
  const input = [
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"swarm_init","arguments":{"topology":"ring"}}}',
    '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"agent_spawn","arguments":{"type":"coder"}}}',
    '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"agent_list","arguments":{}}}',
    '{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"visualization.snapshot","arguments":{}}}',
    '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"metrics.get","arguments":{}}}',
  ].join('\n');
  const run = (...args) => spawnSync(mockBinary, args, { input: `${input}\n`, timeout: 20_000 });
  const [first, second] = [run('--seed', '7', '--now', NOW), run('--seed', '7', '--now', NOW)];
  assert.equal(first.status, 0, first.stderr.toString());
  assert.equal(first.stdout.toString().trim().split('\n').length, 7);
  assert.deepEqual(first.stdout, second.stdout);
  assert.notDeepEqual(run('--seed', '8', '--now', NOW).stdout, first.stdout, 'another seed, another course');
});
