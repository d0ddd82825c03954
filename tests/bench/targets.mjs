// What the bench drives: this relay and its peers, each started on an ephemeral loopback port in front of the echo child.
//
// A target is { name, ports, pid, http?, stop() }. Everything is started in a process group of its own and the whole
// group is killed at the end, since some peers leave their children behind.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '../..',
);
const here = path.join(root, 'tests/bench');
export const relayPath = path.join(root, 'build/bin/agent-relay');
export const loadPath = path.join(root, 'build/tests/bench_load');
export const childPath = path.join(root, 'build/tests/echo_child');
export const clientPath = path.join(root, 'build/tests/bench_client');
export const natsPath = path.join(root, 'build/tests/bench_nats');
export const pumpPath = path.join(root, 'build/tests/pump');
const START_MS = 15000;

const live = new Set();

let before = []; // a command that the real one is put behind

/** From now on everything runs under the round-robin real-time policy, so that whatever else the machine does hardly
 * counts. Needs the privilege for it. */
export function useRealtime() {
  before = ['chrt', '-r', '5'];
  if (spawnSync('chrt', ['-r', '5', 'true']).status !== 0) throw new Error('chrt -r is not permitted here');
}

/** The program and arguments to start `command` with. */
export function withPolicy(command, args) {
  const [program, ...rest] = [...before, command, ...args];
  return [program, rest];
}

/** Ends every group still running: for the end of the run and for signals. */
export function stopAll() {
  for (const child of live) killGroup(child);
}

function killGroup(child) {
  live.delete(child);
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

// The relay's own settings must not leak in from the environment.
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AGENT_RELAY_')));
}

function launch(command, args) {
  const options = { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: cleanEnvironment() };
  const child = spawn(...withPolicy(command, args), options);
  live.add(child);
  child.on('error', () => live.delete(child));
  child.stderr.setEncoding('utf8');
  return child;
}

/** Resolves with the ports named by lines that match, once there are `count` of them. */
function portsFromStderr(child, pattern, count) {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why) => reject(new Error(`${child.spawnfile}: ${why}\n${text}`));
    const timer = setTimeout(() => fail('did not listen in time'), START_MS);
    const settle = (act) => (value) => {
      clearTimeout(timer);
      act(value);
    };
    child.stderr.on('data', (chunk) => {
      if (text === null) return;
      text += chunk;
      const ports = [...text.matchAll(pattern)].map((match) => Number(match[1])).filter((port) => port > 0);
      if (ports.length < count) return;
      text = null;
      settle(resolve)(ports.slice(0, count));
    });
    child.on(
      'error',
      settle((error) => fail(error.message)),
    );
    child.on(
      'exit',
      settle((code, signal) => text !== null && fail(`exited (${code ?? signal})`)),
    );
  });
}

async function target(name, child, pattern, count = 1) {
  try {
    const ports = await portsFromStderr(child, pattern, count);
    return { name, ports, pid: child.pid, child, stop: () => killGroup(child) };
  } catch (error) {
    killGroup(child);
    throw error;
  }
}

const relayListens = /^.*listening.*?127\.0\.0\.1:(\d+).*$/gm;

export function relayArguments(flags = []) {
  return ['serve', '--listen', '127.0.0.1:0', ...flags, '--', childPath];
}

/** The relay ends by SIGTERM, so that a bench also sees it leave; a relay that will not is killed and reported. */
async function stopRelay(child) {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      console.error('bench: the relay did not stop on SIGTERM within 10 s');
      killGroup(child);
    }, 10000);
    await gone;
    clearTimeout(timer);
  }
  killGroup(child);
}

async function startBuild(name, program, flags) {
  const relay = await target(name, launch(program, relayArguments(flags)), relayListens);
  return { ...relay, stop: () => stopRelay(relay.child) };
}

export const startRelay = (flags = []) => startBuild('relay', relayPath, flags);

/** Another build of the relay, from the folder that its programs stand in. */
export const startBefore = (folder) => startBuild('before', path.join(folder, 'agent-relay'), []);

/** A relay with `count` servers, each with a listener of its own. */
export async function startRelayWithServers(count) {
  const folder = mkdtempSync(path.join(tmpdir(), 'agent-relay-bench-'));
  const file = path.join(folder, 'relay.json');
  const names = Array.from({ length: count }, (_, i) => `s${i}`);
  writeFileSync(
    file,
    JSON.stringify({
      mcpServers: Object.fromEntries(names.map((name) => [name, { command: childPath }])),
      relay: { listen: names.map((name) => `127.0.0.1:0=${name}`), defaultServer: names[0] },
    }),
  );
  try {
    const relay = await target('relay', launch(relayPath, ['serve', '--config', file]), relayListens, count);
    return { ...relay, stop: () => stopRelay(relay.child) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** socat gives every client an echo child of its own. Its backlog of 5 would drop connections when many come at once. */
export function startSocat({ nodelay = false } = {}) {
  const listen = `TCP-LISTEN:0,fork,reuseaddr,bind=127.0.0.1,backlog=1024${nodelay ? ',nodelay' : ''}`;
  const child = launch('socat', ['-d', '-d', listen, `EXEC:${childPath}`]);
  return target(nodelay ? 'socat,nodelay' : 'socat', child, /listening on .*:(\d+)/g);
}

/** What looks at nothing: one connection at a time, with an echo child of its own. */
export const startPump = () => target('pump', launch(pumpPath, [childPath]), /listening .*:(\d+)/g);

/** A NATS server and, behind it, the process that answers: the peer's relay and child. */
export async function startNats() {
  const listens = /Listening for client connections on 127\.0\.0\.1:(\d+)/g;
  const server = await target('nats', launch('nats-server', ['-a', '127.0.0.1', '-p', '-1']), listens);
  const url = `nats://127.0.0.1:${server.ports[0]}`;
  const options = { detached: true, stdio: ['pipe', 'pipe', 'inherit'], env: cleanEnvironment() };
  const responder = spawn(...withPolicy(natsPath, ['respond', url, '0', '0', '0']), options);
  live.add(responder);
  const stop = () => {
    killGroup(responder);
    server.stop();
  };
  await new Promise((resolve, reject) => {
    responder.stdout.once('data', resolve);
    responder.once('exit', (code) => reject(new Error(`the responder exited with ${code}`)));
  }).catch((error) => {
    stop();
    throw error;
  });
  return { ...server, url, stop };
}

export function startNodeRelay() {
  const script = path.join(here, 'node_relay.mjs');
  return target('node', launch(process.execPath, [script, childPath]), /listening (\d+)/g);
}

// ---- HTTP peers from npm --------------------------------------------------------------------------------------------

/** Installs the peers that the lockfile names. Returns null, or why it could not. */
export function installPeers() {
  const marker = path.join(here, 'node_modules/.package-lock.json');
  const lock = path.join(here, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return null;
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: here,
    encoding: 'utf8',
  });
  if (npm.status === 0) return null;
  return `npm ci failed: ${(npm.stderr || npm.error?.message || '').trim().split('\n')[0]}`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function tryConnect(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(socket.destroy() !== undefined));
    socket.on('error', () => resolve(false));
  });
}

async function httpTarget(name, script, argumentsFor) {
  const port = await freePort();
  const child = launch(process.execPath, [script, ...argumentsFor(String(port))]);
  child.stderr.resume();
  const until = Date.now() + START_MS;
  while (!(await tryConnect(port))) {
    if (child.exitCode !== null || Date.now() > until) {
      killGroup(child);
      throw new Error(`${name} did not listen`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { name, ports: [port], pid: child.pid, http: '/mcp', stop: () => killGroup(child) };
}

function binOf(module) {
  const folder = path.join(here, 'node_modules', module);
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[module]);
}

export const startSupergateway = () =>
  httpTarget('supergateway', binOf('supergateway'), (port) => [
    ...[
      '--stdio',
      childPath,
      '--outputTransport',
      'streamableHttp',
      '--stateful',
      '--port',
      port,
      '--logLevel',
      'none',
    ],
  ]);

export const startMcpProxy = () =>
  httpTarget('mcp-proxy', binOf('mcp-proxy'), (port) => [
    ...['--host', '127.0.0.1', '--port', port, '--server', 'stream', '--', childPath],
  ]);

/** This relay's own HTTP front, when it has one; null while it has not. */
export async function startRelayHttp() {
  const relay = await startRelay();
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {} },
  };
  body.params.clientInfo = { name: 'bench', version: '1' };
  try {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const url = `http://127.0.0.1:${relay.ports[0]}/mcp`;
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    if (answer.ok) return { ...relay, http: '/mcp' };
  } catch {
    // It answers something that is not HTTP: there is no such front yet.
  }
  await relay.stop();
  return null;
}
