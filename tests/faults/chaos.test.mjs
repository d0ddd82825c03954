// Chaos with an oracle: 200 clients call, pipeline, cancel, send half lines and rubbish, stop reading and reset their
// connections, while children and keepers are killed and stopped, and the configuration is changed, broken and reloaded.
// Each call carries a word of its own, and the children keep a journal of the words that they got. So it is known that
//
//   - no call is lost: each has an answer, its own, as long as its connection lives, and before the relay closes it
//   - no call is answered or run twice, nor run when its error said that it was not sent
//   - no answer and no progress comes to anybody else
//   - afterwards no process, descriptor, session or call is left
//
// For CHAOS_SECONDS (20 when not given); CHAOS_SEED starts another course.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {
  assert,
  CODES,
  root,
  childrenOf,
  descriptorCount,
  residentBytes,
  scaled,
  test,
  until,
  within,
} from '../integration/lib/harness.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 20);
const SEED = Number(process.env.CHAOS_SEED ?? 4711);
const CLIENTS = 200;
/** Of them with a child of their own. */
const OWN_CLIENTS = 20;
const testBin = path.resolve(root, process.env.AGENT_RELAY_TESTS ?? 'build/tests');

const OUTCOME = { none: 0, answered: 1, failedUnsent: 2, failedSent: 3 };

/** Reproducible choices: whole numbers below n. */
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** How long a client thinks, a process stands still: the course of the test, not something that it waits for. */
const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What was sent and what became of it, over all clients. */
class Oracle {
  outcomes = [];
  faults = [];
  counts = { lives: 0, calls: 0, answers: 0, errors: 0, progress: 0, cancelled: 0, halves: 0, resets: 0, closed: 0 };
  errorNames = {};

  word() {
    this.counts.calls++;
    return this.outcomes.push(OUTCOME.none) - 1;
  }

  fault(kind, detail) {
    this.faults.push({ kind, detail });
  }

  settled(call, msg, client) {
    if (msg.error) {
      const { data } = msg.error;
      if (data?.relay !== true) this.fault('misrouted', `${client}: ${JSON.stringify(msg)}`);
      this.counts.errors++;
      this.errorNames[data?.code] = (this.errorNames[data?.code] ?? 0) + 1;
      if (call.word !== null) this.outcomes[call.word] = data?.sent ? OUTCOME.failedSent : OUTCOME.failedUnsent;
    } else if (call.word !== null) {
      if (msg.result.word !== call.word)
        this.fault('misrouted', `${client}: ${JSON.stringify(msg)}, not ${call.word}`);
      this.counts.answers++;
      this.outcomes[call.word] = OUTCOME.answered;
    }
  }

  /** Compares with what the children wrote down. */
  judge(journal) {
    const runs = new Uint8Array(this.outcomes.length);
    for (const line of fs.readFileSync(journal, 'latin1').split('\n').slice(0, -1)) {
      if (!/^\d+$/.test(line) || Number(line) >= runs.length) this.fault('misrouted', `journal: ${line}`);
      else if (++runs[Number(line)] === 2) this.fault('doubled', `the word ${line} ran twice`);
    }
    let ran = 0;
    this.outcomes.forEach((outcome, word) => {
      ran += runs[word];
      if (outcome === OUTCOME.answered && runs[word] === 0) this.fault('misrouted', `${word} never ran`);
      if (outcome === OUTCOME.failedUnsent && runs[word] > 0)
        this.fault('doubled', `${word} ran, and its error said that it was not sent`);
    });
    return ran;
  }
}

class Client {
  #text = '';
  #nextId = 0;
  #left = false;
  #lastWord;
  #closed = false;
  calls = new Map(); // by the id's JSON

  constructor(oracle, port, server) {
    this.oracle = oracle;
    this.name = `client ${++oracle.counts.lives} of ${server}`;
    this.server = server;
    this.socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text) => this.#feed(text));
    this.socket.on('error', () => {}); // 'close' follows
    this.connected = new Promise((resolve) => this.socket.once('connect', resolve));
    this.closed = new Promise((resolve) => this.socket.once('close', resolve)).then(() => this.#onClosed());
  }

  #onClosed() {
    this.#closed = true;
    if (!this.#left) {
      this.oracle.counts.closed++;
      // Only a client whose child died or whose server was removed, and not before all is answered.
      if (this.server !== 'own' && this.server !== 'leaving') this.oracle.fault('cut', this.name);
      // What it sent behind the relay's last word was not read: so it did not run.
      for (const call of this.calls.values()) {
        if (!call.due) continue;
        if (!this.#lastWord) this.oracle.fault('lost', `${this.name} was closed, ${call.key} not answered`);
        if (call.word !== null) this.oracle.outcomes[call.word] = OUTCOME.failedUnsent;
      }
    }
    for (const call of this.calls.values()) call.resolve?.(null);
  }

  #feed(text) {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop();
    for (const line of lines) this.#take(line);
  }

  #take(line) {
    let msg;
    try {
      msg = JSON.parse(line);
    } catch {
      this.oracle.fault('misrouted', `${this.name}: no JSON: ${line.slice(0, 200)}`);
      return;
    }
    if (msg.method !== undefined) {
      this.#notified(msg);
      return;
    }
    const key = JSON.stringify(msg.id);
    const call = this.calls.get(key);
    if (this.#lastWord) this.oracle.fault('misrouted', `${this.name}: behind the last word: ${line}`);
    if (key === 'null' && msg.error?.data.relay && msg.error.code !== CODES.PARSE_ERROR) {
      this.#lastWord = line; // why the connection is closed
      return;
    }
    if (!call || call.answered) {
      this.oracle.fault(call ? 'doubled' : 'misrouted', `${this.name}: ${line.slice(0, 200)}`);
      return;
    }
    call.answered = true;
    call.due = false;
    if (key === 'null') this.calls.delete(key);
    else this.oracle.settled(call, msg, this.name);
    call.resolve?.(msg);
  }

  #notified({ method, params }) {
    if (method !== 'notifications/progress') return;
    this.oracle.counts.progress++;
    const call = this.calls.get(params.progressToken);
    if (call?.word !== params.message)
      this.oracle.fault('misrouted', `${this.name}: ${JSON.stringify(params)}`);
    if (call?.answered) this.oracle.fault('misrouted', `${this.name}: progress after the answer`);
  }

  #expect(key, word, due) {
    const call = { key, word, due, answered: false };
    this.calls.set(key, call);
    call.answer = new Promise((resolve) => (call.resolve = resolve));
    if (this.#closed) {
      call.due = false; // written to nobody
      call.resolve(null);
    }
    return call;
  }

  #id(pick) {
    const n = this.#nextId++;
    return JSON.stringify(pick(2) ? n : `s${n}`);
  }

  /** `due`: an answer must come, unless the client leaves. */
  call(pick, tool, { due = true, cut = false } = {}) {
    const word = this.oracle.word();
    const key = this.#id(pick);
    const meta = pick(4) === 0 ? `"_meta":{"progressToken":${JSON.stringify(key)}},` : '';
    const call = this.#expect(key, word, due);
    const line = `{"jsonrpc":"2.0","id":${key},"method":"tools/call","params":{${meta}"name":"${tool}","arguments":{"word":${word}}}}\n`;
    const at = cut ? pick(line.length) : line.length;
    this.socket.write(line.slice(0, at));
    call.rest = line.slice(at);
    return call;
  }

  request(pick, method, params = {}) {
    const key = this.#id(pick);
    const call = this.#expect(key, null, true);
    this.socket.write(`{"jsonrpc":"2.0","id":${key},"method":"${method}","params":${JSON.stringify(params)}}\n`);
    return call;
  }

  notify(method, params = '{}') {
    this.socket.write(`{"jsonrpc":"2.0","method":"${method}","params":${params}}\n`);
  }

  /** Half a line and the end of it: a parse error, without an id. */
  rubbish() {
    const call = this.#expect('null', null, true);
    this.socket.write('{"jsonrpc":"2.0","id":\n');
    return call;
  }

  /** The answer; null when the connection ended first. */
  async answered(call) {
    try {
      return await within(call.answer, `${this.name}: ${call.key}`, scaled(30_000));
    } catch (error) {
      call.due = false;
      this.oracle.fault('lost', error.message);
      return null;
    }
  }

  leave(reset) {
    this.#left = true;
    if (reset) {
      this.oracle.counts.resets++;
      this.socket.resetAndDestroy();
    } else {
      this.socket.destroy();
    }
    return this.closed;
  }
}

/** One step of a client: true when it goes on, false when it has to leave. */
const steps = [
  async function pipelined(client, pick) {
    const tools = ['echo', 'later', 'echo'];
    const calls = Array.from({ length: 1 + pick(8) }, () => client.call(pick, tools[pick(3)]));
    const answers = await Promise.all(calls.map((call) => client.answered(call)));
    return answers.every(Boolean);
  },
  async function cancelled(client, pick) {
    const call = client.call(pick, pick(2) ? 'never' : 'later', { due: false });
    client.oracle.counts.cancelled++;
    if (pick(2)) await pass(pick(10));
    client.notify('notifications/cancelled', `{"requestId":${call.key}}`);
    return true;
  },
  async function half(client, pick) {
    const call = client.call(pick, 'echo', { cut: true, due: false });
    client.oracle.counts.halves++;
    await pass(pick(20));
    if (pick(3) === 0) return false; // the other half never comes
    call.due = true;
    client.socket.write(call.rest);
    return (await client.answered(call)) !== null;
  },
  async function rubbish(client) {
    return (await client.answered(client.rubbish())) !== null;
  },
  async function deaf(client, pick) {
    const calls = Array.from({ length: 20 }, () => client.call(pick, 'echo'));
    client.socket.pause();
    await pass(pick(200));
    client.socket.resume();
    return (await Promise.all(calls.map((call) => client.answered(call)))).every(Boolean);
  },
  async function asked(client, pick) {
    return (await client.answered(client.request(pick, pick(2) ? 'ping' : 'relay/ping'))) !== null;
  },
  async function left(client, pick) {
    for (let i = pick(4); i >= 0; i--) client.call(pick, 'later');
    return false;
  },
  async function killer(client, pick) {
    if (client.server !== 'own') return true;
    await client.answered(client.call(pick, 'die'));
    return false;
  },
];

/** The frequent ones, by their places in `steps`. */
const COURSE = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7];

async function live(oracle, pick, port, server) {
  const client = new Client(oracle, port, server);
  await Promise.race([client.connected, client.closed]);
  try {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'chaos', version: '1' } };
    const answer = await client.answered(client.request(pick, 'initialize', params));
    if (!answer?.result) {
      await pass(50 + pick(100)); // as a client that comes back would
      return;
    }
    client.notify('notifications/initialized');
    for (let i = pick(30); i >= 0; i--) {
      if (!(await steps[COURSE[pick(COURSE.length)]](client, pick))) return;
      if (pick(4) === 0) await pass(pick(20));
    }
  } finally {
    await client.leave(pick(3) === 0);
  }
}

/** The processes under one, without a look at all of /proc. */
function pidsUnder(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false; // it has ended meanwhile
  }
}

/** Kills and stops children and keepers; whatever is stopped goes on in the end. */
async function processFaults(relay, pick, goesOn, done) {
  const stopped = new Set();
  const standStill = async (pid) => {
    if (!signal(pid, 'SIGSTOP')) return;
    done.stopped++;
    await pass(100 + pick(1500));
    signal(pid, pick(4) ? 'SIGCONT' : 'SIGKILL');
    signal(pid, 'SIGCONT');
  };
  while (goesOn()) {
    await pass(pick(400));
    const keepers = pidsUnder(relay.pid);
    const keeper = keepers[pick(keepers.length)];
    const [child] = keeper ? pidsUnder(keeper) : [];
    if (!child) continue;
    const choice = pick(10);
    if (choice < 5) done.children += signal(child, 'SIGKILL');
    else if (choice < 7) done.keepers += signal(keeper, 'SIGKILL');
    else stopped.add(standStill(choice < 9 ? child : keeper));
  }
  await Promise.all(stopped);
}

async function reloads(relay, pick, goesOn, done, configs) {
  while (goesOn()) {
    await pass(200 + pick(800));
    relay.writeConfig(configs[pick(configs.length)](pick));
    relay.signal('SIGHUP');
    done.reloads++;
  }
}

test(`chaos for ${SECONDS} s: nothing lost, doubled, misrouted or left`, { timeoutMs: (SECONDS + 200) * 1000 }, async (t) => {
  const journal = t.file('words');
  const entry = (...args) => ({ command: path.join(testBin, 'chaos_child'), args: [journal, ...args] });
  const names = ['shared', 'changing', 'leaving', 'own'];
  const config = ({ variant = 'first', without } = {}) => {
    const left = names.filter((name) => name !== without);
    return {
      servers: Object.fromEntries(left.map((name) => [name, name === 'changing' ? entry(variant) : entry(name)])),
      relay: {
        listen: names.map((name) => `127.0.0.1:0=${name === without ? 'shared' : name}`),
        defaultServer: 'shared',
        backoffMinMs: 10,
        backoffMaxMs: 50,
        breakerExits: 1000, // within a window of 1 ms: never
        breakerWindowMs: 1,
        stopGraceMs: scaled(1000),
        timeoutMs: scaled(5000),
        servers: { own: { sharing: 'session' } },
      },
    };
  };
  const relay = await t.relay(config());
  const ports = Object.fromEntries(names.map((name, i) => [name, relay.addresses[i].port]));
  const pick = random(SEED);
  const oracle = new Oracle();
  const done = { children: 0, keepers: 0, stopped: 0, reloads: 0 };
  const steady = await t.ready(relay.addresses[0]);
  await steady.pingRelay();

  const end = performance.now() + SECONDS * 1000;
  const goesOn = () => performance.now() < end;
  const crowd = Array.from({ length: CLIENTS }, async (_, i) => {
    const server = i < OWN_CLIENTS ? 'own' : names[i % 3];
    while (goesOn()) await live(oracle, pick, ports[server], server);
  });
  const configs = [
    () => config(),
    (choose) => config({ variant: `v${choose(1000)}` }),
    () => config({ without: 'leaving' }),
    () => '{ "mcpServers": { "shared": ',
    () => '{ "relay": { "timeoutMs": "soon" } }',
  ];
  await Promise.all([
    ...crowd,
    processFaults(relay, pick, goesOn, done),
    reloads(relay, pick, goesOn, done, configs),
  ]);

  const { counts, errorNames, faults } = oracle;
  assert.deepEqual(faults.slice(0, 10), [], `${faults.length} faults`);

  // Rest: the first configuration, one client.
  relay.writeConfig(config({ variant: 'last' }));
  relay.signal('SIGHUP');
  const waking = await t.ready(relay.addresses[1]);
  // A request, since initialize is answered from the cache and starts nothing.
  await until(async () => (await waking.request('tools/list')).result, 'the changed server answers');
  await until(
    () => relay.descendants().some(({ command }) => command.includes('last')),
    'the last configuration is in force',
  );
  await waking.close();
  await until(
    async () => (await steady.request('relay/status')).result.clients.connections === 1,
    'only the steady client is left',
  );
  await until(async () => (await steady.request('tools/list')).result, 'the shared server answers');
  await until(() => relay.keepers().length <= 3, 'no child of a session is left');
  await until(() => relay.descendants().length === 2 * relay.keepers().length, 'no process without a keeper');
  const { calls } = (await steady.request('relay/inflight')).result;
  const ran = oracle.judge(journal);

  t.figure(`chaos of ${SECONDS} s, ${CLIENTS} clients: ${JSON.stringify(counts)}, ${ran} calls ran`);
  t.figure(`chaos: errors by name ${JSON.stringify(errorNames)}`);
  t.figure(`chaos: ${JSON.stringify(done)} killed, stopped, reloaded`);
  t.figure(`chaos: at the end ${descriptorCount(relay.pid)} descriptors, ${(residentBytes(relay.pid) / 2 ** 20).toFixed(1)} MiB`);
  const kinds = {};
  for (const { kind } of faults) kinds[kind] = (kinds[kind] ?? 0) + 1;
  t.figure(`chaos: faults ${JSON.stringify(kinds)}`);
  assert.deepEqual(kinds, {}, JSON.stringify(faults.slice(0, 10), null, 1));
  assert.ok(counts.answers > 20 * SECONDS && counts.errors > 0, JSON.stringify(counts));
  assert.ok(done.children > 0 && done.reloads > 0, JSON.stringify(done));
  assert.deepEqual(calls.filter(({ state }) => state !== 'abandoned'), []);
  assert.deepEqual(childrenOf(relay.pid).filter(({ state }) => state === 'Z'), [], 'no zombie');
});
