// A client that speaks newline-delimited JSON-RPC by hand: it sends exactly the given bytes and keeps every line
// that comes, as text and parsed.
import net from 'node:net';
import { Inbox } from './inbox.mjs';
import { within } from './time.mjs';

let clients = 0;

export class LineClient {
  #helperId = 0;
  #partial = [];

  /** `stream`: anything duplex; `name` shows in messages. */
  constructor(stream, name = `client ${++clients}`) {
    this.stream = stream;
    this.name = name;
    this.inbox = new Inbox(name);
    this.bytesIn = 0;
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.inbox.end('closed');
        resolve();
      });
    });
    stream.on('error', (error) => this.inbox.end(error.code ?? error.message));
    stream.on('data', (chunk) => this.#feed(chunk));
    stream.once('end', () => this.inbox.end('end of stream'));
  }

  /** `to`: { host, port } or { path }. */
  static async connect(to, name) {
    const socket = net.connect({ ...to, noDelay: true });
    const connected = new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    await within(connected, `connect to ${JSON.stringify(to)}`);
    return new LineClient(socket, name);
  }

  #feed(chunk) {
    this.bytesIn += chunk.length;
    for (;;) {
      const at = chunk.indexOf(10);
      if (at < 0) break;
      this.#partial.push(chunk.subarray(0, at));
      const bytes = Buffer.concat(this.#partial);
      this.#partial = [];
      chunk = chunk.subarray(at + 1);
      const text = bytes.toString('utf8');
      this.#take(text);
    }
    if (chunk.length > 0) this.#partial.push(chunk);
  }

  #take(text) {
    let msg;
    try {
      msg = JSON.parse(text);
    } catch (error) {
      this.inbox.end(`got a line that is not JSON: ${error.message}: ${text.slice(0, 2000)}`);
      return;
    }
    this.inbox.push({ text, msg, at: performance.now() });
  }

  // ---- sending

  sendBytes(bytes) {
    return new Promise((resolve) => this.stream.write(bytes, resolve));
  }

  sendText(text) {
    return this.sendBytes(`${text}\n`);
  }

  send(message) {
    return this.sendText(JSON.stringify(message));
  }

  notify(method, params) {
    return this.send({ jsonrpc: '2.0', method, ...(params && { params }) });
  }

  // ---- waiting

  take(wanted, what, deadlineMs) {
    return this.inbox.take(wanted, what, deadlineMs);
  }

  /** The answer that carries `id`, as parsed JSON. */
  async reply(id, deadlineMs) {
    const wanted = ({ msg }) => msg.id === id && !('method' in msg);
    return (await this.take(wanted, `the answer to ${JSON.stringify(id)}`, deadlineMs)).msg;
  }

  async notification(method, deadlineMs) {
    const wanted = ({ msg }) => msg.method === method && !('id' in msg);
    return (await this.take(wanted, method, deadlineMs)).msg;
  }

  async request(method, params, { id = `h${++this.#helperId}`, deadlineMs } = {}) {
    this.send({ jsonrpc: '2.0', id, method, ...(params && { params }) });
    return this.reply(id, deadlineMs);
  }

  // ---- the usual steps

  async initialize({ protocolVersion = '2025-11-25', capabilities = {}, deadlineMs } = {}) {
    const params = { protocolVersion, capabilities, clientInfo: { name: 'line-client', version: '1' } };
    const answer = await this.request('initialize', params, { deadlineMs });
    if (!answer.error) await this.notify('notifications/initialized');
    return answer;
  }

  /** Sends a call of the scripted child's tool (children/fake.mjs) and returns without waiting. */
  sendScript(id, steps, { token, meta } = {}) {
    const _meta = { ...meta, ...(token !== undefined && { progressToken: token }) };
    const params = { name: 'script', arguments: { steps }, ...(Object.keys(_meta).length > 0 && { _meta }) };
    return this.send({ jsonrpc: '2.0', id, method: 'tools/call', params });
  }

  async script(steps, { id = `h${++this.#helperId}`, deadlineMs, ...rest } = {}) {
    this.sendScript(id, steps, rest);
    return this.reply(id, deadlineMs);
  }

  /** Values that the steps of a script gave back. */
  async scriptValues(steps, options) {
    const answer = await this.script(steps, options);
    if (answer.error) throw new Error(`script failed: ${JSON.stringify(answer.error)}`);
    return answer.result.values;
  }

  /** A round trip to the child: what the child had written before is here when this returns. */
  async flush() {
    const answer = await this.script([]);
    if (answer.error) throw new Error(`flush failed: ${JSON.stringify(answer.error)}`);
  }

  /** A round trip to the relay: what the relay had sent before is here when this returns. */
  async pingRelay() {
    const answer = await this.request('relay/ping', {});
    if (answer.error) throw new Error(`relay/ping failed: ${JSON.stringify(answer.error)}`);
  }

  /** Lines that came and that nobody took. */
  get left() {
    return this.inbox.left.map(({ msg }) => msg);
  }

  // ---- ending

  async close() {
    if (!this.stream.destroyed) this.stream.end();
    this.stream.resume();
    const grace = setTimeout(() => this.stream.destroy(), 1000);
    await this.closed;
    clearTimeout(grace);
  }

  destroy() {
    this.stream.destroy();
    return this.closed;
  }
}
