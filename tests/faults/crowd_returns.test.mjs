// A thousand clients that lost their relay at the same moment come back to it at the same moment.
import net from 'node:net';
import { assert, atMost, fake, processInfo, test, within } from '../integration/lib/harness.mjs';
import { LineClient } from '../integration/lib/line_client.mjs';

const CLIENTS = 1000;
const LIVE_WITHIN_MS = 5000;
const LONGEST_MS = 100;

const line = (message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const INITIALIZE = line({
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'one', version: '1' } },
});
const INITIALIZED = line({ method: 'notifications/initialized' });
const call = (id, name, args) => line({ id, method: 'tools/call', params: { name, arguments: args } });

/** Sends and counts lines, and little more: a thousand of these must not be what takes the time. */
class Client {
  #lines = 0;
  #text = '';
  #wanted;

  constructor(path) {
    this.socket = net.connect({ path });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text) => this.#feed(text));
    this.socket.on('error', () => {}); // 'close' follows
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.closed.then(() => this.#wanted?.reject(new Error(`closed after ${this.#lines} lines`)));
  }

  #feed(text) {
    for (const char of text) if (char === '\n') this.#lines++;
    this.#text += text;
    if (this.#wanted && this.#lines >= this.#wanted.count) {
      this.#wanted.resolve(this.#text);
      this.#wanted = undefined;
    }
  }

  /** Resolves when so many lines have come in all. */
  lines(count) {
    return new Promise((resolve, reject) => {
      this.#wanted = { count, resolve, reject };
      this.#feed('');
    });
  }

  /** Connected, shaken hands, and answered by the server behind the relay. */
  async live() {
    this.socket.write(INITIALIZE);
    await this.lines(1);
    this.socket.write(INITIALIZED + call(1, 'echo', {}));
    const text = await this.lines(2);
    assert.match(text, /"id":1,"result":/);
    return this;
  }
}

async function crowd(t, path, what) {
  const begun = performance.now();
  const clients = Array.from({ length: CLIENTS }, () => new Client(path));
  t.atEnd(() => clients.forEach(({ socket }) => socket.destroy()));
  const all = Promise.all(clients.map((client) => client.live()));
  await within(all, `${CLIENTS} live clients`, atMost(LIVE_WITHIN_MS));
  t.figure(`${what}: ${CLIENTS} live after ${Math.round(performance.now() - begun)} ms`);
  return clients;
}

/** The relay's loop served others meanwhile: no iteration was long. */
async function assertLoop(t, path, what) {
  const client = await LineClient.connect({ path });
  const { loop, relay } = (await client.request('relay/status', {})).result;
  const cpuMs = processInfo(relay.pid).cpuTicks * 10;
  t.figure(
    `${what}: longest iteration ${loop.longestMs} ms, ${cpuMs} ms of CPU, did not run ${loop.standstills} times`,
  );
  assert.ok(loop.longestMs <= atMost(LONGEST_MS), `longest iteration ${loop.longestMs} ms`);
  await client.close();
}

const options = (path) => ({ servers: { fake: fake() }, relay: { listen: [`unix:${path}`] } });

test('a thousand clients whose connections broke at once', async (t) => {
  const path = t.file('sock');
  await t.relay(options(path));
  const before = await crowd(t, path, 'first');
  for (const { socket } of before) {
    socket.write(call(2, 'script', { steps: [{ never: {} }] }) + line({ id: 3, method: 'relay/ping' }));
  }
  await Promise.all(before.map((client) => client.lines(3)));
  for (const { socket } of before) socket.destroy();
  await crowd(t, path, 'again');
  await assertLoop(t, path, 'broken connections');
});

test('a thousand clients whose relay was started anew', async (t) => {
  const path = t.file('sock');
  const relay = await t.relay(options(path));
  const before = await crowd(t, path, 'first');
  relay.signal('SIGTERM');
  await Promise.all(before.map((client) => client.closed));
  await relay.stop();
  await t.relay(options(path));
  await crowd(t, path, 'again');
  await assertLoop(t, path, 'a relay started anew');
});

test('a thousand clients that connect to a relay which stands still', async (t) => {
  const path = t.file('sock');
  const relay = await t.relay(options(path));
  t.atEnd(() => relay.signal('SIGCONT'));
  relay.signal('SIGSTOP');
  const clients = Array.from({ length: CLIENTS }, () => new Client(path));
  t.atEnd(() => clients.forEach(({ socket }) => socket.destroy()));
  await Promise.all(clients.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
  const all = Promise.all(clients.map((client) => client.live()));
  const begun = performance.now();
  relay.signal('SIGCONT');
  await within(all, 'all are answered', atMost(LIVE_WITHIN_MS));
  t.figure(`after SIGCONT: ${CLIENTS} live after ${Math.round(performance.now() - begun)} ms`);
  await assertLoop(t, path, 'a relay that stood still');
});
