// Starts build/bin/agent-backend on a port of the kernel's choice, asks it, reads its events, and ends it: with exit code 0.
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { assert, atMost, binDir, cleanEnvironment, scaled, within } from './harness.mjs';
import { Inbox } from './inbox.mjs';

export const backendBinary = path.join(binDir, 'agent-backend');

/** Times of the library, short enough to be waited for, and long enough for a busy machine to answer in. */
export const quick = {
  'stale-max-ms': 3000,
  'poll-ms': 100,
  'poll-timeout-ms': 3000,
  'mock-refresh-ms': 200,
  'backoff-base-ms': 50,
  'backoff-cap-ms': 200,
  'heartbeat-ms': 200,
  'dead-after-ms': 2000,
};

/** The same as flags, for sanitized builds and slow machines stretched. */
export function flags(times) {
  return Object.entries(times).map(([name, ms]) => `--${name}=${scaled(ms)}`);
}

/**
 * An MCP server with agents that are no mocks: two of them, and a third after agent_spawn. ANSWERS: what a tool's next calls
 * give instead, one after the other.
 */
const realAgents = `
  const lines = require('readline').createInterface({ input: process.stdin });
  const agents = [{ id: 'lead-1', name: 'Lead', type: 'coordinator', status: 'active', swarmId: 's-1', health: 91 },
                  { id: 'coder-1', name: 'Coder', type: 'coder', status: 'idle', swarmId: 's-1' }];
  const crowd = Number(process.env.CROWD ?? 0);
  if (process.env.AGENTS) agents.splice(0, agents.length, ...JSON.parse(process.env.AGENTS));
  for (let i = 0; i < crowd; i++)
    agents.push({ id: 'worker-' + i, type: 'worker', status: 'active', swarmId: 's-1', activity: 'x'.repeat(250) });
  const answers = JSON.parse(process.env.ANSWERS ?? '{}');
  const text = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
  const tools = {
    agent_list: () => {
      if (crowd) agents[0].tasks_completed = (agents[0].tasks_completed ?? 0) + 1; // each list differs from the last
      return text({ success: true, agents });
    },
    swarm_init: () => text({ success: true, swarmId: 's-2', status: 'initialized' }),
    agent_spawn: ({ type }) => {
      if (type === 'refused') return { isError: true, content: [{ type: 'text', text: 'no room for ' + type }] };
      if (type === 'never') return undefined;
      const agent = { id: type + '-' + (agents.length + 1), name: type, type, status: 'active', swarmId: 's-2' };
      agents.push(agent);
      return text({ success: true, agentId: agent.id, name: agent.name, status: 'active' });
    },
    task_orchestrate: ({ task }) =>
      task === 'never' ? undefined : text({ success: true, taskId: 't-1', status: 'pending' }),
    task_status: ({ taskId }) =>
      taskId === 't-1'
        ? text({ success: true, taskId, status: 'completed', progress: 100 })
        : { isError: true, content: [{ type: 'text', text: 'the task was not found' }] },
  };
  const serverInfo = { name: 'real', version: '1' };
  const inputSchema = { type: 'object' };
  lines.on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const reply = (rest) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...rest }) + '\\n');
    if (method === 'initialize')
      return reply({ result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo } });
    if (method === 'ping') return reply({ result: {} });
    if (method === 'tools/list') return reply({ result: { tools: Object.keys(tools).map((name) => ({ name, inputSchema })) } });
    if (method === 'tools/call' && answers[params.name]?.length) {
      const answer = answers[params.name].shift();
      if (answer === 'exit') process.exit(3);
      return reply(answer);
    }
    if (method !== 'tools/call' || !tools[params.name]) return reply({ error: { code: -32601, message: 'Method not found' } });
    const result = tools[params.name](params.arguments ?? {});
    if (result) reply({ result });
  });`;

export const realServer = { command: process.execPath, args: ['-e', realAgents] };
/** The same, whose tools answer so: {tool: [{result}, {error} ...]}; 'exit': it ends. */
export const answeringServer = (answers) => ({ ...realServer, env: { ANSWERS: JSON.stringify(answers) } });
/** The same with these agents. */
export const serverOf = (agents) => ({ ...realServer, env: { AGENTS: JSON.stringify(agents) } });
/** The same with so many more agents, and a list that changes with each look. */
export const crowdedServer = (crowd) => ({ ...realServer, env: { CROWD: String(crowd) } });

/** An address at which nothing listens (tcpmux). */
export const nobody = '127.0.0.1:1';

/** How a relay that the test kills has ended. */
export const killed = { code: null, signal: 'SIGKILL' };

export const addressOf = (relay) => `${relay.address.host}:${relay.address.port}`;

/** A relay with the agents above; where another was, when the port is its. */
export const relayOn = (t, port, more = {}) =>
  t.relay({ servers: { agents: realServer }, relay: { listen: [`127.0.0.1:${port}`] }, ...more });

const living = new Set();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Backend {
  /** `wrap`: a program and its arguments that run the backend in their place. */
  constructor({ relay, args = [], env, listen = '127.0.0.1:0', wrap = [] } = {}) {
    const argv = ['--listen', listen, ...(relay ? ['--relay', relay] : []), ...args];
    const [program, ...rest] = [...wrap, backendBinary, ...argv];
    this.process = spawn(program, rest, { env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    living.add(this.process);
    this.lines = new Inbox('stderr');
    this.stderr = '';
    this.stdout = '';
    let unfinished = '';
    this.process.stdout.on('data', (chunk) => (this.stdout += chunk));
    this.process.stderr.on('data', (chunk) => {
      this.stderr += chunk;
      const lines = (unfinished + chunk).split('\n');
      unfinished = lines.pop();
      for (const line of lines) this.lines.push(line);
    });
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => resolve({ code: -1, signal: null, error }));
      this.process.once('close', (code, signal) => resolve({ code, signal }));
    }).then((end) => {
      living.delete(this.process);
      this.end = end;
      this.lines.end(`exit ${end.code ?? end.signal}: ${this.stderr.slice(-2000)}`);
      return end;
    });
  }

  async ready() {
    const line = await this.lines.take((text) => text.includes('listening on'), 'the address');
    this.url = line.match(/^agent-backend: listening on (http:\/\/\S+)$/)[1];
    const { hostname, port } = new URL(this.url);
    this.address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
    return this;
  }

  /** {status, headers, text, json}. */
  request(method, where, { headers = {}, body, agent } = {}) {
    const answered = new Promise((resolve, reject) => {
      const options = { method, path: where, headers, agent: agent ?? false, ...this.address };
      const request = http.request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status, headers: got } = response;
          const isJson = String(got['content-type']).startsWith('application/json') && text !== '';
          resolve({ status, headers: got, text, json: isJson ? JSON.parse(text) : undefined });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
    return within(answered, `${method} ${where}`);
  }

  get(where, options) {
    return this.request('GET', where, options);
  }

  post(where, value, headers = {}) {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    const type = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers };
    return this.request('POST', where, { headers: type, body });
  }

  async health() {
    return (await this.get('/api/v1/bots/health')).json;
  }

  /** A reader of the event stream. */
  async events() {
    const events = new Events(this.address);
    await events.opened;
    return events;
  }

  /** A bare TCP connection, for what no HTTP client would send. */
  raw(from = {}) {
    return new Raw({ ...this.address, ...from });
  }

  async stop(signal = 'SIGTERM') {
    if (this.end) return this.end;
    const from = performance.now();
    this.process.kill(signal);
    const end = await within(this.exited, 'exit after the signal', atMost(6_000)).catch((error) => {
      this.process.kill('SIGABRT');
      throw error;
    });
    this.stopMs = performance.now() - from;
    return end;
  }
}

/** One event: {id, event, data, at, index}. The JSON of a big one takes long to parse: only if somebody looks. */
class Event {
  #data;

  constructor(block, index) {
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (line.startsWith('data:')) this.text = line.slice(colon + 2);
      else this[line.slice(0, colon)] = line.slice(colon + 2);
    }
    this.at = performance.now();
    this.index = index;
  }

  get data() {
    this.#data ??= JSON.parse(this.text);
    return this.#data;
  }
}

/** Events in an inbox; `all` keeps every one. */
export class Events {
  constructor(address) {
    this.all = [];
    this.comments = 0;
    this.inbox = new Inbox('events');
    this.opened = new Promise((resolve, reject) => {
      this.request = http.get({ path: '/api/bots/events', agent: false, ...address }, (response) => {
        this.response = response;
        response.setEncoding('utf8');
        let pieces = []; // of the block that has not ended
        response.on('data', (chunk) => {
          pieces.push(chunk);
          if (!chunk.includes('\n\n') && !chunk.startsWith('\n')) return;
          const blocks = pieces.join('').split('\n\n');
          pieces = [blocks.pop()];
          for (const block of blocks) this.#take(block);
        });
        response.on('end', () => this.inbox.end('the stream ended'));
        response.on('error', (error) => this.inbox.end(error.message));
        resolve();
      });
      this.request.on('error', (error) => {
        this.inbox.end(error.message);
        reject(error);
      });
    });
    this.opened.catch(() => {});
  }

  #take(block) {
    if (block.startsWith(':')) {
      this.comments++;
      return;
    }
    const event = new Event(block, this.all.length);
    this.all.push(event);
    this.inbox.push(event);
  }

  #taken = -1;

  /** The next agents event of this source after the one that was taken last: the fallback policy has an order. */
  async source(source, deadlineMs) {
    const wanted = ({ event, data, index }) => event === 'agents' && index > this.#taken && data.source === source;
    const taken = await this.inbox.take(wanted, `agents that are ${source}`, deadlineMs);
    this.#taken = taken.index;
    return taken;
  }

  close() {
    this.request.destroy();
  }
}

class Raw {
  #onHead;

  /** ADDRESS may have a localAddress to come from. */
  constructor(address) {
    this.got = '';
    this.socket = net.connect(address);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.closed = new Promise((resolve) => {
      this.socket.once('error', () => resolve());
      this.socket.once('close', () => resolve());
    });
  }

  #take(chunk) {
    this.got += chunk;
    if (!this.#onHead || !this.got.includes('\r\n\r\n')) return;
    this.socket.pause();
    this.#onHead();
  }

  send(text) {
    this.socket.write(text);
    return this;
  }

  /** Until an answer's head has come; nothing more is read from that moment on. */
  stopAtHead() {
    return within(new Promise((resolve) => (this.#onHead = resolve)), 'its head');
  }

  /** What came until the other side closed. */
  async answer(deadlineMs) {
    await within(this.closed, 'the connection is closed', deadlineMs);
    return this.got;
  }
}

/** A proxy that shows what is at ADDRESS under PREFIX ("/agents/"), and nothing beside it. Its own address, as a URL. */
export async function prefixProxy(t, address, prefix) {
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(prefix)) return void response.writeHead(404).end();
    const path = `/${request.url.slice(prefix.length)}`;
    const onward = http.request({ ...address, path, method: request.method, headers: request.headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.atEnd(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${proxy.address().port}${prefix}`;
}

/** A backend that ends with the test. `exit`: how it is expected to have ended, when not by code 0. */
export async function startBackend(t, options = {}) {
  const backend = new Backend(options);
  t.atEnd(async () => {
    const { code, signal } = await backend.stop();
    assert.deepEqual({ code, signal }, { code: 0, signal: null, ...options.exit }, backend.stderr);
  });
  await backend.ready();
  return backend;
}
