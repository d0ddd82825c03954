// What came in and was not taken yet, with somebody perhaps waiting for it. The one place where tests wait.
import { DEADLINE_MS } from './time.mjs';

export class Inbox {
  #items = [];
  #waiters = [];
  #end;

  constructor(name) {
    this.name = name;
  }

  push(item) {
    for (const waiter of this.#waiters) {
      if (waiter.wanted(item)) {
        this.#settle(waiter);
        waiter.resolve(item);
        return;
      }
    }
    this.#items.push(item);
  }

  /** Nothing more will come: every wait, present or future, fails with the reason. */
  end(reason) {
    this.#end = reason;
    for (const waiter of [...this.#waiters]) {
      this.#settle(waiter);
      waiter.reject(new Error(`${this.name} ended (${reason}) while waiting for ${waiter.what}`));
    }
  }

  /** Takes the first item that `wanted` accepts, waiting for it if need be. */
  take(wanted, what, deadlineMs = DEADLINE_MS) {
    const at = this.#items.findIndex(wanted);
    if (at >= 0) return Promise.resolve(this.#items.splice(at, 1)[0]);
    if (this.#end !== undefined) {
      return Promise.reject(new Error(`${this.name} had ended (${this.#end}) before ${what}`));
    }
    return new Promise((resolve, reject) => {
      const waiter = { wanted, what, resolve, reject };
      waiter.timer = setTimeout(() => {
        this.#settle(waiter);
        const have = JSON.stringify(this.#items.slice(-5))?.slice(0, 1500);
        reject(
          new Error(
            `${this.name}: not within ${deadlineMs} ms: ${what}; ${this.#items.length} not taken: ${have}`,
          ),
        );
      }, deadlineMs);
      this.#waiters.push(waiter);
    });
  }

  /** What is there and not taken, without taking it. */
  get left() {
    return [...this.#items];
  }

  #settle(waiter) {
    clearTimeout(waiter.timer);
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
  }
}
