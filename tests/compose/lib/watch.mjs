// Looks at the backend's health many times a second and keeps what it saw, so that a test can say when something changed
// even though it was busy with Docker at that moment.
import { DEADLINE_MS, until } from '../../integration/lib/time.mjs';

const EVERY_MS = 20;
const ANSWER_WITHIN_MS = 2_000; // its health is never slow, whatever becomes of the relay

export class Watch {
  #stopped = false;
  #done;

  constructor(url) {
    this.url = url;
    this.samples = []; // { at, health }: `at` is when the question was put
    this.failures = []; // answers that were none, or no 200
    this.slowestMs = 0;
    this.#done = this.#run();
  }

  async #look() {
    const at = Date.now();
    try {
      const answer = await fetch(`${this.url}/api/v1/bots/health`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      const health = await answer.json();
      this.slowestMs = Math.max(this.slowestMs, Date.now() - at);
      if (answer.status === 200) this.samples.push({ at, health });
      else this.failures.push({ at, why: `status ${answer.status}` });
    } catch (error) {
      this.failures.push({ at, why: error.cause?.code ?? error.message });
    }
  }

  async #run() {
    while (!this.#stopped) {
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  stop() {
    this.#stopped = true;
    return this.#done;
  }

  get last() {
    return this.samples.at(-1);
  }

  /** The last thing seen before `at`. */
  before(at) {
    return this.samples.findLast((sample) => sample.at < at);
  }

  /** The first sample from `since` on that `wanted` accepts, waiting for it if need be. */
  async first(wanted, since, what, deadlineMs = DEADLINE_MS) {
    let next = this.samples.findIndex(({ at }) => at >= since);
    if (next < 0) next = this.samples.length;
    const look = () => {
      while (next < this.samples.length) {
        const sample = this.samples[next++];
        if (wanted(sample.health)) return sample;
      }
      return undefined;
    };
    try {
      return await until(look, what, deadlineMs);
    } catch (error) {
      throw new Error(`${error.message}; last seen: ${JSON.stringify(this.last)}`);
    }
  }

  source(source, since, deadlineMs) {
    return this.first((health) => health.source === source, since, `source ${source}`, deadlineMs);
  }

  /** Whether any sample from `since` to `to` had this source. */
  saw(source, since, to) {
    return this.samples.some(({ at, health }) => at >= since && at <= to && health.source === source);
  }
}
