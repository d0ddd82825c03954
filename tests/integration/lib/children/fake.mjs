// A scripted MCP server: its tests send it steps: what to write, when to wait and how to die.
//
//   node fake.mjs '{"journal":"/tmp/x","boot":[...],...}'
//
// Options (all optional):
//   journal        file that gets a JSON line per start, received line, end of input and signal; outlives the process
//   version        protocolVersion it answers (else the requested one)
//   capabilities   what its initialize result advertises
//   boot           steps run before anything is read
//   beforeReply    steps run before the initialize reply        afterReply   steps run after it
//   onInitialized  steps run when notifications/initialized comes
//   mute           never answers anything
//   crashes        the first N starts exit with code 9 at once (needs journal)
//   stayAtEof      lives on when its input ends                 ignoreTerm   ignores SIGTERM
//
// Methods: initialize, ping, tools/list (pages of one tool each), tools/call, resources/subscribe, resources/unsubscribe,
// logging/setLevel, x/mirror (gives back the line it got, base64), tasks/get, tasks/cancel, tasks/result; else -32601.
// Tools: "script" runs arguments.steps and answers {values:[what the steps returned]}; "echo" answers its arguments.
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import fs from 'node:fs';

const options = JSON.parse(process.argv[2] ?? '{}');
const LF = 10;
const KEEP_BYTES = 256 * 1024;

const lines = []; // every line received: { method, id, text } or, when long, { method, id, bytes, sha256 }
const lineWaiters = new Set();
const held = new Map(); // key -> [resume functions]
const barriers = new Map(); // key -> [resume functions]
const requests = new Map(); // id of our own request -> resolve
let requestId = 0;

function journal(event, more = {}) {
  if (options.journal)
    fs.appendFileSync(options.journal, `${JSON.stringify({ event, pid: process.pid, ...more })}\n`);
}

function write(stream, bytes) {
  return new Promise((resolve) => stream.write(bytes, resolve));
}

const send = (message) => write(process.stdout, `${JSON.stringify(message)}\n`);

function receivedEnough({ method, count = 1, match }) {
  const hits = lines.filter(
    (line) => (!method || line.method === method) && (!match || line.text?.includes(match)),
  );
  return hits.length >= count;
}

function waitForLines(wanted) {
  if (receivedEnough(wanted)) return Promise.resolve();
  return new Promise((resolve) => lineWaiters.add({ wanted, resolve }));
}

function park(map, key) {
  return new Promise((resolve) => map.set(key, [...(map.get(key) ?? []), resolve]));
}

function releaseAll(map, key, order = (list) => list) {
  const list = order(map.get(key) ?? []);
  map.delete(key);
  for (const resume of list) resume();
  return list.length;
}

// Each step is an object with one of these keys; what it returns, unless undefined, joins the answer's values.
const steps = {
  /** Text and a newline on stdout; "$ID" and "$TOKEN", quotes included, stand for the call's own. */
  out: (text, call) => write(process.stdout, `${fill(text, call)}\n`),
  /** Exactly these bytes. */
  out64: (base64) => write(process.stdout, Buffer.from(base64, 'base64')),
  /** A result of about so many bytes, as the answer to this call. */
  big: (bytes, call) => {
    call.answered = true;
    return send({ jsonrpc: '2.0', id: call.id, result: { pad: 'x'.repeat(bytes) } });
  },
  err: (text) => write(process.stderr, `${text}\n`),
  /** So many bytes on stderr, in lines. */
  flood: (bytes) => write(process.stderr, `${'e'.repeat(79)}\n`.repeat(Math.ceil(bytes / 80))),
  progress: (params, call) =>
    send({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: call.token, ...params },
    }),
  reply: (result, call) => {
    call.answered = true;
    return send({ jsonrpc: '2.0', id: call.id, result });
  },
  noReply: (_, call) => {
    call.answered = true;
  },
  /** Until so many lines with this method (and this text in them) have come. */
  wait: (wanted) => waitForLines(wanted),
  hold: (key) => park(held, key),
  /** Resumes the calls that are held by this key; gives their number. */
  release: (key) => releaseAll(held, key),
  /** Until n calls stand here; then they go on, the last one first. */
  barrier: ({ key, n }) => {
    const here = park(barriers, key);
    // Not before the last one waits as well.
    if (barriers.get(key).length === n)
      setImmediate(() => releaseAll(barriers, key, (list) => list.reverse()));
    return here;
  },
  /** Sends a request of our own and gives the answer. */
  request: ({ method, params, id = requestId++ }) =>
    new Promise((resolve) => {
      requests.set(id, resolve);
      send({ jsonrpc: '2.0', id, method, params });
    }),
  /** Lines received with this method (all, when none is given). */
  seen: ({ method }) => lines.filter((line) => !method || line.method === method),
  pid: () => process.pid,
  environment: () => ({ ...process.env }),
  self: () => ({
    cwd: process.cwd(),
    session: Number(fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[3]),
    stdin: fs.readlinkSync('/proc/self/fd/0'),
  }),
  /** Runs a command to its end and gives its output. */
  run: ([command, ...args]) =>
    new Promise((resolve) => {
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (chunk) => (text += chunk));
      child.on('close', () => resolve(text));
    }),
  closeStdout: () => fs.closeSync(1),
  exit: (code) => process.exit(code),
  kill: (signal) => {
    process.kill(process.pid, signal);
    return new Promise(() => {});
  },
  /** Stands still, without leaving the event loop: nothing is read meanwhile. */
  blockMs: (ms) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  },
  pauseMs: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  never: () => new Promise(() => {}),
};

function fill(text, call) {
  return text
    .replaceAll('"$ID"', JSON.stringify(call?.id))
    .replaceAll('"$TOKEN"', JSON.stringify(call?.token));
}

async function run(list, call) {
  const values = [];
  for (const step of list ?? []) {
    const [name, argument] = Object.entries(step)[0];
    const value = await steps[name](argument, call);
    if (value !== undefined && typeof value !== 'boolean') values.push(value);
  }
  return values;
}

const tools = ['script', 'echo', 'last'].map((name) => ({ name, inputSchema: { type: 'object' } }));

async function callTool(message) {
  const { name, arguments: args, _meta } = message.params ?? {};
  if (name === 'echo') return { content: [{ type: 'text', text: JSON.stringify(args) }] };
  const call = { id: message.id, token: _meta?.progressToken, answered: false };
  const values = await run(args?.steps, call);
  return call.answered ? null : { content: [], values };
}

async function answer(message, raw) {
  const { method, params } = message;
  switch (method) {
    case 'initialize': {
      await run(options.beforeReply, { id: message.id });
      return {
        protocolVersion: options.version ?? params.protocolVersion,
        capabilities: options.capabilities ?? {
          tools: { listChanged: true },
          resources: { subscribe: true },
          logging: {},
        },
        serverInfo: { name: 'fake', version: '1' },
      };
    }
    case 'tools/list': {
      const page = Number(params?.cursor ?? 0);
      return { tools: [tools[page]], ...(page + 1 < tools.length && { nextCursor: String(page + 1) }) };
    }
    case 'tools/call':
      return callTool(message);
    case 'x/mirror':
      return { line: raw.toString('base64') };
    case 'tasks/get':
    case 'tasks/cancel':
      return { taskId: params.taskId, status: method === 'tasks/get' ? 'working' : 'cancelled' };
    case 'tasks/result':
      await park(held, `task ${params.taskId}`);
      return { content: [], taskId: params.taskId };
    case 'ping':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
    case 'logging/setLevel':
      return {};
    default:
      return undefined;
  }
}

async function onLine(raw) {
  if (raw.length > 0 && raw[raw.length - 1] === 13) raw = raw.subarray(0, -1);
  let message;
  try {
    message = JSON.parse(raw.toString('utf8'));
  } catch {
    message = {};
  }
  const kept =
    raw.length <= KEEP_BYTES
      ? { text: raw.toString('utf8') }
      : { bytes: raw.length, sha256: createHash('sha256').update(raw).digest('hex') };
  const line = { method: message.method, id: message.id, ...kept };
  lines.push(line);
  journal('line', line);
  for (const waiter of lineWaiters) {
    if (receivedEnough(waiter.wanted)) {
      lineWaiters.delete(waiter);
      waiter.resolve();
    }
  }
  if (options.mute) return;
  if (message.method === undefined) {
    requests.get(message.id)?.(message);
    requests.delete(message.id);
  } else if (message.id === undefined) {
    if (message.method === 'notifications/initialized') await run(options.onInitialized);
  } else {
    const result = await answer(message, raw);
    if (result === undefined) {
      await send({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } });
    } else if (result !== null) {
      await send({ jsonrpc: '2.0', id: message.id, result });
    }
    if (message.method === 'initialize') await run(options.afterReply);
  }
}

function readLines() {
  let parts = [];
  process.stdin.on('data', (chunk) => {
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF)) {
      const line = Buffer.concat([...parts, chunk.subarray(0, at)]);
      parts = [];
      chunk = chunk.subarray(at + 1);
      if (line.length > 0) onLine(line);
    }
    if (chunk.length > 0) parts.push(chunk);
  });
  process.stdin.on('end', () => {
    journal('eof');
    if (!options.stayAtEof) process.exit(0);
  });
}

journal('start');
if (options.crashes) {
  const starts = fs.readFileSync(options.journal, 'utf8').split('"event":"start"').length - 1;
  if (starts <= options.crashes) {
    process.stderr.write(`start ${starts} fails on purpose\n`);
    process.exit(9);
  }
}
process.on('SIGTERM', () => {
  journal('signal', { signal: 'SIGTERM' });
  if (!options.ignoreTerm) process.exit(0);
});
if (options.stayAtEof || options.ignoreTerm || options.mute) setInterval(() => {}, 1 << 30);
await run(options.boot, {});
readLines();
