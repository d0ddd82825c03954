// What every test file imports. A test gets a folder, relays and clients that end with it:
//
//   test('case 13: ...', async (t) => {
//     const relay = await t.relay({ servers: { fake: fake() } });
//     const client = await t.client(relay);
//     ...
//   });
//
// At the end, passed or not, clients are closed, relays stopped (exit code 0, no process left), the folder removed. When
// a test fails, the tail of its relays' logs is shown.
import { test as nodeTest } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { LineClient } from './line_client.mjs';
import { Relay } from './relay.mjs';
import { TcpTransport } from './tcp_transport.mjs';
import { scaled } from './time.mjs';

export { assert };
export { fake, readJournal, relayBinary, binDir, root, cleanEnvironment, parseAddress } from './relay.mjs';
export { atMost, scaled, scale, until, within, DEADLINE_MS } from './time.mjs';
export * from './processes.mjs';

export const CODES = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  SERVER_UNAVAILABLE: -31001,
  TIMEOUT: -31002,
  OVERLOADED: -31003,
  FORBIDDEN: -31006,
  TOO_LARGE: -31007,
  NO_SUCH_SERVER: -31008,
  DRAINING: -31009,
  BAD_REPLY: -31011,
};

/** An error that the relay itself made: code, name, and members of its data. */
export function assertRelayError(message, name, data = {}) {
  assert.ok(message.error, `an error was expected: ${JSON.stringify(message).slice(0, 500)}`);
  assert.equal(message.error.code, CODES[name], JSON.stringify(message.error));
  assert.equal(typeof message.error.message, 'string');
  const { data: got } = message.error;
  assert.equal(got.relay, true);
  assert.equal(got.code, name);
  assert.equal(typeof got.retryable, 'boolean');
  assert.equal(typeof got.sent, 'boolean');
  assert.ok(!(got.retryable && got.sent), 'retryable only when it was not sent');
  for (const [key, value] of Object.entries(data)) assert.deepEqual(got[key], value, `data.${key}`);
  return got;
}

class TestContext {
  #relays = [];
  #ends = [];

  constructor(nodeContext) {
    this.node = nodeContext;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'relay-test-'));
  }

  /** Shown by the runner, and collected from its output: "figure: ...". */
  figure(text) {
    this.node.diagnostic(`figure ${text}`);
  }

  skip(reason) {
    this.node.skip(reason);
  }

  file(name) {
    return path.join(this.dir, name);
  }

  /** Runs at the end, last one first. */
  atEnd(action) {
    this.#ends.push(action);
  }

  /** A relay that listens. `exit`: how it is expected to have ended, when not by code 0. */
  async relay(options = {}) {
    const relay = this.startRelay(options);
    await relay.ready();
    return relay;
  }

  /** A relay that was started, and may never listen. */
  startRelay(options = {}) {
    const dir = fs.mkdtempSync(path.join(this.dir, 'r'));
    const relay = new Relay(dir, options);
    relay.expectedEnd = { code: 0, signal: null, ...options.exit };
    this.#relays.push(relay);
    return relay;
  }

  /** A raw client, connected and nothing more. `to`: a relay, or an address. */
  async client(to, name) {
    const client = await LineClient.connect(to.address ?? to, name);
    this.atEnd(() => client.destroy());
    return client;
  }

  /** A raw client that has done its handshake. */
  async ready(to, options) {
    const client = await this.client(to, options?.name);
    const answer = await client.initialize(options);
    assert.ok(answer.result, `initialize: ${JSON.stringify(answer.error)}`);
    return client;
  }

  /** The official SDK's client, connected. */
  async sdk(to, { capabilities = {}, handlers = () => {}, name = 'sdk-client' } = {}) {
    const client = new Client({ name, version: '1.0.0' }, { capabilities });
    handlers(client);
    await client.connect(new TcpTransport(to.address ?? to));
    this.atEnd(() => client.close());
    return client;
  }

  async end() {
    for (const action of this.#ends.reverse()) await action();
    const stopped = await Promise.allSettled(
      this.#relays.map(async (relay) => {
        const { code, signal } = await relay.stop();
        assert.deepEqual({ code, signal }, relay.expectedEnd, 'how the relay ended');
        await relay.noDescendants();
      }),
    );
    for (const relay of this.#relays) {
      for (const { pid } of relay.descendants()) process.kill(pid, 'SIGKILL');
    }
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 }); // a browser may still be writing
    const failed = stopped.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  }

  logs() {
    return this.#relays.map((relay) => `relay ${relay.pid} log:\n${relay.logTail()}`).join('\n');
  }
}

/** node:test's test, with the context above. `timeoutMs` bounds the whole test; its own waits should end long before. */
export function test(name, options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  const { timeoutMs = 300_000, ...rest } = options;
  nodeTest(name, { timeout: scaled(timeoutMs), ...rest }, async (nodeContext) => {
    const context = new TestContext(nodeContext);
    let failure;
    try {
      await body(context);
    } catch (error) {
      failure = error;
    }
    try {
      await context.end();
    } catch (error) {
      failure ??= error;
    }
    if (failure) {
      nodeContext.diagnostic(context.logs());
      throw failure;
    }
  });
}
