// Runs build/bin/agent-relayctl, and plays the relay for it where a real one would not misbehave as wanted.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { Inbox } from './inbox.mjs';
import { binDir, cleanEnvironment } from './relay.mjs';
import { DEADLINE_MS, within } from './time.mjs';

export const ctlBinary = path.join(binDir, 'agent-relayctl');

/** How --relay and AGENT_CONTROL_URL write an address: { host, port } or { path }. */
export function urlOf({ host, port, path: socket }) {
  if (socket) return `unix:${socket}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A run of the program. `to`: a relay, a fake one, or an address; it goes into AGENT_CONTROL_URL. */
export class Ctl {
  stdout = '';
  stderr = '';
  #partial = '';

  constructor(to, args, { env, input, wrap, stdout } = {}) {
    const address = to && (to.address ?? to);
    const url = address && { AGENT_CONTROL_URL: urlOf(address) };
    const [program, ...rest] = wrap ? wrap([ctlBinary, ...args]) : [ctlBinary, ...args];
    this.startedAt = performance.now();
    this.lines = new Inbox(`agent-relayctl ${args.join(' ')}`);
    this.process = spawn(program, rest, {
      env: cleanEnvironment({ ...url, ...env }),
      stdio: [input === undefined ? 'ignore' : 'pipe', stdout ?? 'pipe', 'pipe'],
    });
    this.process.stdout?.on('data', (chunk) => this.#feed(chunk.toString()));
    this.process.stderr.on('data', (chunk) => (this.stderr += chunk));
    if (input !== undefined) {
      this.process.stdin.on('error', () => {}); // it may end before it has read all
      this.process.stdin.end(input);
    }
    this.ended = new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.process.once('close', (code, signal) => {
        this.lines.end(`exit ${code ?? signal}; stderr: ${this.stderr}`);
        resolve({
          code,
          signal,
          stdout: this.stdout,
          stderr: this.stderr,
          ms: performance.now() - this.startedAt,
        });
      });
    });
  }

  #feed(text) {
    this.stdout += text;
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop();
    for (const line of lines) this.lines.push(line);
  }

  /** The next line that nobody took, for which `wanted` holds. */
  line(wanted, what, deadlineMs) {
    return this.lines.take(wanted, what, deadlineMs);
  }

  /** Of a watching command with --json: the next document that has these members. */
  async document(fields, deadlineMs) {
    const fits = (line) => {
      const document = JSON.parse(line);
      return Object.entries(fields).every(([key, value]) => document[key] === value);
    };
    return JSON.parse(await this.line(fits, JSON.stringify(fields), deadlineMs));
  }

  kill(signal) {
    this.process.kill(signal);
  }

  end(deadlineMs = DEADLINE_MS) {
    return within(this.ended, 'agent-relayctl ends', deadlineMs).catch((error) => {
      this.process.kill('SIGKILL');
      throw error;
    });
  }
}

/** Runs it to its end: { code, signal, stdout, stderr, ms }. */
export function ctl(to, args, options) {
  return new Ctl(to, args, options).end(options?.deadlineMs);
}

/**
 * A relay with scripted answers. `answers`: method -> result, or a function of (message, line) that gives the
 * result, { error }, or undefined for no answer; `line(object or text)` sends a line of its own. initialize is answered
 * unless it is among them. Methods that are not: -32601.
 */
export class FakeRelay {
  sockets = new Set();
  received = new Inbox('fake relay');
  connections = 0;

  static async listen(answers = {}) {
    const fake = new FakeRelay();
    fake.answers = answers;
    fake.server = net.createServer((socket) => fake.#serve(socket));
    fake.server.listen(0, '127.0.0.1');
    await new Promise((resolve) => fake.server.once('listening', resolve));
    fake.address = { host: '127.0.0.1', port: fake.server.address().port };
    return fake;
  }

  #serve(socket) {
    let partial = '';
    this.connections++;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      const lines = (partial + chunk.toString()).split('\n');
      partial = lines.pop();
      for (const line of lines) this.#take(socket, JSON.parse(line));
    });
  }

  #take(socket, message) {
    this.received.push(message);
    if (message.id === undefined) return;
    const send = (what) => socket.write(`${typeof what === 'string' ? what : JSON.stringify(what)}\n`);
    const answer = this.#answer(message, send, socket);
    if (answer === undefined) return;
    const body = answer?.error ? { error: answer.error } : { result: answer };
    send({ jsonrpc: '2.0', id: message.id, ...body });
  }

  #answer(message, send, socket) {
    const own = this.answers[message.method];
    if (typeof own === 'function') return own(message, send, socket);
    if (own !== undefined) return own;
    if (message.method === 'initialize') {
      const { protocolVersion } = message.params;
      return { protocolVersion, capabilities: {}, serverInfo: { name: 'fake', version: '1' } };
    }
    return { error: { code: -32601, message: 'Method not found' } };
  }

  /** The next message with this method that nobody took. */
  message(method, deadlineMs) {
    return this.received.take((message) => message.method === method, method, deadlineMs);
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** An address where nobody listens: one that the kernel gave, closed again. */
export async function deadAddress() {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return { host: '127.0.0.1', port };
}

export const mock = () => ({ mock: { command: path.join(binDir, 'agent-mock') } });

/** A fake relay that ends with the test. */
export async function fakeRelay(t, answers) {
  const relay = await FakeRelay.listen(answers);
  t.atEnd(() => relay.close());
  return relay;
}

/** The run's output: one JSON document and nothing else. */
export function document({ stdout, stderr }) {
  assert.equal(stdout.split('\n').length, 2, `one line: ${stdout.slice(0, 500)} stderr: ${stderr}`);
  return JSON.parse(stdout);
}

export function assertCode(run, code) {
  assert.equal(run.signal, null);
  assert.equal(run.code, code, `stdout: ${run.stdout.slice(0, 1000)}\nstderr: ${run.stderr}`);
}
