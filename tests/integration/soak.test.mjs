// A soak: clients come and go in every way, children die, calls hang, are cancelled, time out; for SOAK_SECONDS (20 when not
// given). Descriptors, processes and memory must be flat, and a steady client must have been answered right throughout.
import {
  assert,
  childrenOf,
  descriptorCount,
  fake,
  residentBytes,
  scaled,
  test,
  until,
} from './lib/harness.mjs';
import { LineClient } from './lib/line_client.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 20);
const MIB = 1024 * 1024;

/** Reproducible: the same course for the same seed. */
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** One client's life: connects, does some of everything, leaves somehow. What it is answered must be its own. */
async function oneLife(address, pick, counts, mayKill) {
  const client = await LineClient.connect(address);
  const life = ++counts.lives;
  try {
    await client.initialize({});
    for (let i = pick(8); i >= 0; i--) {
      const id = pick(2) ? i : `${i}`;
      const word = `${life}-${i}`;
      switch (pick(8)) {
        case 0:
          client.sendScript(id, [{ hold: 'soak' }]);
          await client.notify('notifications/cancelled', { requestId: id });
          break;
        case 1:
          client.sendScript(id, [{ hold: 'soak' }]); // left behind
          return;
        case 2:
          await client.request('resources/subscribe', { uri: `x://${pick(50)}` }, { id });
          break;
        case 3:
          await client.sendText('{"jsonrpc":"2.0","id":1,"method":');
          await client.take(({ msg }) => msg.error?.code === -32700, 'a parse error');
          break;
        case 4: {
          const answer = await client.script([{ big: pick(400_000) }], { id });
          if (answer.error) assert.equal(answer.error.data.relay, true);
          break;
        }
        case 5:
          if (!mayKill) break;
          client.sendScript(id, [{ exit: 1 }]); // its own child, and the connection with it
          await client.reply(id);
          await client.closed;
          counts.cut++;
          return;
        default: {
          const steps = [{ progress: { progress: 1, message: word } }, { reply: { word } }];
          const answer = await client.script(steps, { id, token: 'same' });
          if (answer.error) {
            assert.equal(answer.error.data.relay, true, JSON.stringify(answer));
            counts.errors++;
          } else {
            assert.equal(answer.result.word, word);
            const { msg } = await client.take(({ msg: m }) => m.params?.message === word, 'its progress');
            assert.deepEqual(msg.params, { progressToken: 'same', progress: 1, message: word });
            counts.answers++;
          }
        }
      }
    }
  } catch (error) {
    throw new Error(`client ${life}: ${error.message}`, { cause: error });
  } finally {
    for (const { params } of client.left.filter(({ method }) => method === 'notifications/progress')) {
      assert.ok(params.message.startsWith(`${life}-`), `somebody else's progress: ${params.message}`);
    }
    if (pick(3) === 0) client.stream.resetAndDestroy();
    else client.stream.destroy();
    await client.closed;
  }
}

test(
  `case 19: ${SECONDS} s of churn: descriptors, memory and processes flat`,
  { timeoutMs: (SECONDS + 280) * 1000 },
  async (t) => {
    const listen = ['127.0.0.1:0=shared', '127.0.0.1:0=own', '127.0.0.1:0=dying'];
    const relay = await t.relay({
      servers: { shared: fake(), own: fake(), dying: fake(), steady: fake() },
      relay: {
        listen: [...listen, '127.0.0.1:0=steady'],
        backoffMinMs: 10,
        backoffMaxMs: 50,
        breakerExits: 30, // within a window of 1 ms: never
        breakerWindowMs: 1,
        stopGraceMs: scaled(1000),
        timeoutMs: scaled(5000),
        servers: { own: { sharing: 'session' } },
      },
      // What AddressSanitizer keeps of freed memory grows for minutes, to 256 MB: bounded, or flat could not be seen.
      env: { ASAN_OPTIONS: 'quarantine_size_mb=8' },
    });
    const [shared, own, dying, steadyAddress] = relay.addresses;
    const steady = await t.ready(steadyAddress);
    const held = await t.ready(shared);
    const killer = await t.ready(dying);
    const pick = random(4711);
    const counts = { lives: 0, answers: 0, errors: 0, cut: 0, kills: 0 };
    const samples = [];
    const sample = () =>
      samples.push({
        descriptors: descriptorCount(relay.pid),
        memory: residentBytes(relay.pid),
        processes: relay.descendants().length,
      });

    const quiet = async () => {
      await until(
        async () => (await steady.request('relay/status')).result.clients.connections === 3,
        'only the three stay',
      );
      await held.script([{ release: 'soak' }]);
      await until(async () => !(await killer.script([])).error, 'the dying one is up');
      await until(() => relay.keepers().length === 3, 'no session child is left');
    };
    // Until the time is over and, on a busy machine, enough has happened in it.
    const churn = async (until_ms) => {
      const [lives, answers, kills] = [counts.lives + 25, counts.answers + 15, counts.kills + 3];
      const enough = () => counts.lives >= lives && counts.answers >= answers && counts.kills >= kills;
      const goesOn = () => performance.now() < until_ms || !enough();
      const lanes = [shared, shared, shared, own, dying, dying].map(async (address) => {
        while (goesOn()) await oneLife(address, pick, counts, address === own);
      });
      const killing = (async () => {
        while (goesOn()) {
          await steady.script([{ pauseMs: 150 }]);
          await killer.script([{ kill: 'SIGKILL' }]);
          counts.kills++;
          await held.script([{ release: 'soak' }]);
        }
      })();
      await Promise.all([...lanes, killing]);
      await quiet();
    };

    const rounds = Math.max(4, Math.floor(SECONDS / 30));
    const began = performance.now();
    await churn(began + (SECONDS * 1000) / (rounds + 1)); // warm: first buffers, first lists
    for (let round = 1; round <= rounds; round++) {
      sample();
      await churn(began + ((round + 1) * SECONDS * 1000) / (rounds + 1));
    }
    sample();

    const [first, last] = [samples[0], samples.at(-1)];
    const mib = (bytes) => (bytes / MIB).toFixed(2);
    t.figure(
      `soak of ${SECONDS} s: ${counts.lives} connections, ${counts.answers} answers, ${counts.errors} errors as due, ` +
        `${counts.cut} cut off with their child, ${counts.kills} children killed`,
    );
    t.figure(`soak: descriptors ${samples.map(({ descriptors }) => descriptors).join(' ')}`);
    t.figure(`soak: memory ${samples.map(({ memory }) => mib(memory)).join(' ')} MiB`);
    t.figure(`soak: processes ${samples.map(({ processes }) => processes).join(' ')}`);
    assert.ok(counts.answers > 50 && counts.kills > 5 && counts.lives > 100, JSON.stringify(counts));
    assert.equal(last.descriptors, first.descriptors);
    assert.equal(last.processes, first.processes);
    assert.ok(
      last.memory - first.memory < (relay.sanitized ? 64 : 4) * MIB,
      `${last.memory - first.memory} bytes more`,
    );
    assert.deepEqual(
      childrenOf(relay.pid).filter(({ state }) => state === 'Z'),
      [],
      'no zombie',
    );
    const { calls } = (await steady.request('relay/inflight')).result;
    assert.deepEqual(
      calls.filter(({ state }) => state !== 'abandoned'),
      [],
    );
  },
);
