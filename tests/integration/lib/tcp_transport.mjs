// A transport for the official SDK over TCP or a Unix socket: the stdio framing, as the specification recommends for byte
// streams.
import net from 'node:net';
import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';

export class TcpTransport {
  #to;
  #socket;
  #buffer = new ReadBuffer();
  #delivering = Promise.resolve();

  /** `to`: { host, port } or { path }. */
  constructor(to) {
    this.#to = to;
  }

  start() {
    return new Promise((resolve, reject) => {
      this.#socket = net.connect({ ...this.#to, noDelay: true });
      this.#socket.once('connect', resolve);
      this.#socket.once('error', reject);
      this.#socket.on('error', (error) => this.onerror?.(error));
      this.#socket.on('data', (chunk) => this.#feed(chunk));
      this.#socket.once('close', () => this.#delivering.then(() => this.onclose?.()));
    });
  }

  #feed(chunk) {
    this.#buffer.append(chunk);
    for (;;) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        this.#deliver(message);
      } catch (error) {
        this.onerror?.(error);
      }
    }
  }

  // One message per turn of Node's loop. The SDK runs notification handlers a little later than it settles answers: of a
  // progress and a result that come in one chunk it would lose the progress.
  #deliver(message) {
    this.#delivering = this.#delivering.then(
      () =>
        new Promise((resolve) => {
          setImmediate(() => {
            this.onmessage?.(message);
            resolve();
          });
        }),
    );
  }

  send(message) {
    return new Promise((resolve, reject) => {
      this.#socket.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  close() {
    this.#buffer.clear();
    if (!this.#socket || this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.once('close', resolve);
      this.#socket.end();
      this.#socket.destroySoon();
    });
  }
}
