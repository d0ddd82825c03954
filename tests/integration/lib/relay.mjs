// Starts build/bin/agent-relay on a port of the kernel's choice, in a folder of its own, and ends it: with exit code 0, and
// with no process of it left.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Inbox } from './inbox.mjs';
import { childrenOf, processesWithTmpdir } from './processes.mjs';
import { atMost, DEADLINE_MS, until, within } from './time.mjs';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const binDir = path.resolve(root, process.env.AGENT_RELAY_BIN ?? 'build/bin');
export const relayBinary = path.join(binDir, 'agent-relay');
const fakeChild = fileURLToPath(new URL('children/fake.mjs', import.meta.url));

/** A server entry for the scripted child. */
export function fake(options = {}) {
  return { command: process.execPath, args: [fakeChild, JSON.stringify(options)] };
}

/** What a fake child wrote to its journal. A line that is just being written does not count yet. */
export function readJournal(file) {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

/** The environment a relay gets: little, so that what the tests see does not depend on who runs them. */
export function cleanEnvironment(more) {
  const keep = ['PATH', 'HOME', 'LANG', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'];
  const kept = keep
    .filter((name) => process.env[name] !== undefined)
    .map((name) => [name, process.env[name]]);
  return { ...Object.fromEntries(kept), ...more };
}

/** "127.0.0.1:9500", "[::1]:9500" or "unix:/path", as a thing net.connect understands. */
export function parseAddress(text) {
  if (text.startsWith('unix:')) return { path: text.slice(5) };
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

const living = new Set();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Relay {
  #stderr = '';

  /**
   * `dir`: a fresh folder. Options: servers and relay (both as in the configuration file), config (its whole text instead; null: no file),
   * args (more arguments), command (after `--`), env, wrap (a command line to start it under).
   */
  constructor(dir, { servers, relay, config, args = [], command, env, wrap = [] } = {}) {
    this.dir = dir;
    this.log = []; // every line, parsed when it is JSON
    this.events = new Inbox('log');
    this.configFile = path.join(dir, 'relay.json');
    this.listeners = 1;
    const argv = ['serve', '--log-format', 'json', ...args];
    if (command) {
      argv.push('--listen', '127.0.0.1:0', '--', ...command);
    } else if (config !== null) {
      this.writeConfig(config ?? { servers, relay });
      argv.push('--config', this.configFile);
    }
    const [program, ...rest] = [...wrap, relayBinary, ...argv];
    this.process = spawn(program, rest, {
      cwd: dir,
      env: cleanEnvironment({ TMPDIR: dir, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    living.add(this.process);
    this.stdout = '';
    this.process.stdout.on('data', (chunk) => (this.stdout += chunk));
    this.process.stderr.on('data', (chunk) => this.#feed(chunk.toString()));
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => resolve({ code: -1, signal: null, error }));
      this.process.once('close', (code, signal) => resolve({ code, signal }));
    }).then((end) => {
      living.delete(this.process);
      this.end = end;
      this.events.end(`exit ${end.code ?? end.signal} ${end.error ?? ''}`);
      return end;
    });
  }

  /** Text as it is; an object {servers, relay} is completed with a listener on an ephemeral port. */
  writeConfig(config) {
    let text = config;
    if (typeof config !== 'string') {
      const relay = { listen: ['127.0.0.1:0'], ...config.relay };
      this.listeners = relay.listen.length;
      text = JSON.stringify({ mcpServers: config.servers ?? { fake: fake() }, relay }, null, 2);
    }
    fs.writeFileSync(this.configFile, text);
  }

  #feed(text) {
    this.#stderr += text;
    const lines = this.#stderr.split('\n');
    this.#stderr = lines.pop();
    for (const line of lines) {
      let entry;
      try {
        entry = JSON.parse(line);
      } catch {
        entry = { event: 'not JSON', line };
      }
      this.log.push(entry);
      this.events.push(entry);
    }
  }

  /** Sanitizers keep freed memory for a while: bounds on it are looser then. */
  get sanitized() {
    return /address|thread/.test(binDir);
  }

  get pid() {
    return this.process.pid;
  }

  /** Until every listener is bound; fills `addresses` in the order of the configuration. */
  async ready() {
    this.addresses = [];
    for (let i = 0; i < this.listeners; i++) {
      const entry = await this.event('listening');
      this.addresses.push(parseAddress(entry.address));
    }
    return this;
  }

  get address() {
    return this.addresses[0];
  }

  /** The next log line with this event (a string, or a pattern) and these fields that nobody took yet. */
  event(name, fields = {}, deadlineMs) {
    const named = (entry) => (name instanceof RegExp ? name.test(entry.event) : entry.event === name);
    const wanted = (entry) =>
      named(entry) && Object.entries(fields).every(([key, value]) => entry[key] === value);
    return this.events.take(wanted, `log event "${name}" ${JSON.stringify(fields)}`, deadlineMs);
  }

  /** Processes that this relay is answerable for, keepers included. */
  descendants() {
    return processesWithTmpdir(this.dir).filter(({ pid }) => pid !== this.pid);
  }

  keepers() {
    return childrenOf(this.pid).filter(({ name }) => name === 'mcp-keeper');
  }

  signal(name) {
    if (name === 'SIGTERM' || name === 'SIGINT') this.stopping = true;
    this.process.kill(name);
  }

  async noDescendants(deadlineMs = DEADLINE_MS) {
    const list = () => this.descendants().map(({ pid, name, command }) => `${pid} ${name}: ${command}`);
    try {
      await until(() => this.descendants().length === 0, 'no process left', deadlineMs);
    } catch {
      throw new Error(`left over: ${list().join('; ')}`);
    }
  }

  /** Ends it as an operator would: all within 8 s. */
  async stop() {
    if (!this.end) {
      if (!this.stopping) this.signal('SIGTERM'); // a second one would cut the drain short
      await within(this.exited, 'exit after SIGTERM', atMost(9_000)).catch((error) => {
        this.signal('SIGABRT');
        throw error;
      });
    }
    return this.end;
  }

  logTail(count = Number(process.env.TEST_LOG_LINES ?? 40)) {
    const lines = this.log
      .slice(-count)
      .map((entry) => (entry.line !== undefined ? entry.line : JSON.stringify(entry)));
    return [...lines, this.#stderr].join('\n');
  }
}
