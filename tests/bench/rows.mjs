// The rows of the bench. Each is { key, title, run(settings) } and gives a list of results:
//   { what, ours, peer?, peerName?, ratio?, budget?, atMost?, unit, pass, detail }   or   { what, skipped: reason }
// A ratio is the median over repetitions that alternate between the relay and its peers, so that noise meets both.

import { clientRows } from './client_rows.mjs';
import {
  installPeers,
  relayArguments,
  relayPath,
  startBefore,
  startMcpProxy,
  startNodeRelay,
  startPump,
  startRelay,
  startRelayHttp,
  startRelayWithServers,
  startSocat,
  startSupergateway,
} from './targets.mjs';
import { death, descriptorLimit, holdIdle, load, median, residentBytes, start } from './measure.mjs';

async function withTargets(starters, use) {
  const targets = [];
  try {
    for (const starter of starters) targets.push(await starter());
    return await use(targets);
  } finally {
    for (const target of targets) await target?.stop();
  }
}

/** { targetName: [result per repetition] } */
async function alternate(targets, options, settings) {
  const results = Object.fromEntries(targets.map((target) => [target.name, []]));
  for (let i = 0; i < settings.repetitions; i++) {
    for (const target of targets) {
      results[target.name].push(
        await load(target, { warmup: settings.warmupMs, duration: settings.runMs, ...options }),
      );
    }
  }
  return results;
}

const perSecond = (results) => median(results.map((result) => result.perSecond));

function ratioResult(what, name, ours, theirs, budget) {
  const ratio = median(ours.map((result, i) => result.perSecond / theirs[i].perSecond));
  return {
    what,
    unit: '/s',
    ours: perSecond(ours),
    peerName: name,
    peer: perSecond(theirs),
    ratio,
    ...(budget === null ? {} : { budget, pass: ratio >= budget }),
    detail: {
      relayUsPerMessage: median(ours.map((result) => result.watchedUs)),
      peerUsPerMessage: median(theirs.map((result) => result.watchedUs)),
      p99Us: median(ours.map((result) => result.latencyUs.p99)),
      peerP99Us: median(theirs.map((result) => result.latencyUs.p99)),
      perSecond: ours.map((result) => Math.round(result.perSecond)),
      peerPerSecond: theirs.map((result) => Math.round(result.perSecond)),
    },
  };
}

// No row may lose more than this against the build it is compared with.
const BEFORE_BUDGET = 0.97;

function throughputRow(key, title, options, peerBudgets) {
  return {
    key,
    title,
    run: (settings) => {
      const budgets = { ...peerBudgets, ...(settings.before ? { before: BEFORE_BUDGET } : {}) };
      const starters = {
        socat: startSocat,
        'socat,nodelay': () => startSocat({ nodelay: true }),
        node: startNodeRelay,
        pump: startPump,
        before: () => startBefore(settings.before),
      };
      const chosen = Object.keys(budgets).map((name) => starters[name]);
      return withTargets([startRelay, ...chosen], async (targets) => {
        const results = await alternate(targets, options, settings);
        return Object.entries(budgets).map(([name, budget]) =>
          ratioResult(title, name, results.relay, results[name], budget),
        );
      });
    },
  };
}

const atMost = (what, unit, ours, budget, detail) => ({
  what,
  unit,
  ours,
  budget,
  atMost: true,
  pass: ours <= budget,
  detail,
});

// ---- memory and idle clients ----------------------------------------------------------------------------------------

const IDLE_COUNTS = [1, 1000, 10000];

// All of them come from one address.
const crowdFlags = ['--max-clients-per-address', '20000'];
const startCrowded = () => startRelay(crowdFlags);

const enoughDescriptors = (count) => descriptorLimit() >= count + 200;

const memoryRow = {
  key: 'memory',
  title: 'idle clients, resident',
  run: () =>
    withTargets([startCrowded], async ([relay]) => {
      const base = residentBytes(relay.pid);
      const results = [atMost('base, resident', 'KiB', base / 1024, 8192)];
      for (const count of IDLE_COUNTS) {
        const what = `idle client, resident, at ${count}`;
        if (!enoughDescriptors(count)) {
          results.push({ what, skipped: `the descriptor limit is ${descriptorLimit()}` });
          continue;
        }
        const idle = await holdIdle(relay, count);
        const resident = residentBytes(relay.pid);
        await idle.release();
        const each = (resident - base) / count;
        // One client pays for whatever the first use of the relay touches: no budget there.
        if (count === 1)
          results.push({ what, unit: 'KiB', ours: each / 1024, detail: { residentBytes: resident } });
        else results.push(atMost(what, 'KiB', each / 1024, 4, { residentBytes: resident }));
      }
      return results;
    }),
};

const idleLatencyRow = {
  key: 'idle-p99',
  title: 'p99 beside 10,000 idle clients against none',
  run: (settings) => {
    const what = 'p99 beside 10,000 idle clients';
    if (!enoughDescriptors(10000)) return [{ what, skipped: `the descriptor limit is ${descriptorLimit()}` }];
    return withTargets([startCrowded, startRelay], async ([crowded, empty]) => {
      const idle = await holdIdle(crowded, 10000);
      const p99 = { crowded: [], empty: [] };
      const options = { clients: 1, 'in-flight': 1, warmup: settings.warmupMs, duration: settings.runMs * 2 };
      for (let i = 0; i < settings.repetitions; i++) {
        p99.empty.push((await load(empty, options)).latencyUs.p99);
        p99.crowded.push((await load(crowded, options)).latencyUs.p99);
      }
      await idle.release();
      const change = median(p99.crowded.map((us, i) => us / p99.empty[i]));
      const detail = { p99Us: median(p99.crowded), withoutUs: median(p99.empty), each: p99 };
      return [atMost(what, '× alone', change, 1.1, detail)];
    });
  },
};

// ---- times ----------------------------------------------------------------------------------------------------------

const startRow = {
  key: 'start',
  title: 'start to listening',
  run: async (settings) => {
    const runs = [];
    for (let i = 0; i < settings.repetitions * 2; i++)
      runs.push(await start([relayPath, ...relayArguments()]));
    const ms = runs.map((run) => run.ms);
    return [
      atMost('start to listening', 'ms', median(ms), 10, {
        each: ms,
        stopMs: median(runs.map((run) => run.stopMs)),
      }),
    ];
  },
};

const deathRow = {
  key: 'death',
  title: "a child's death to the errors",
  run: async (settings) => {
    const runs = [];
    // A relay each: a child that dies again and again is held back on purpose.
    for (let i = 0; i < settings.repetitions; i++)
      runs.push(await withTargets([startRelay], ([relay]) => death(relay)));
    const last = runs.map((run) => run.lastMs);
    return [atMost("a child's death to its 16 errors", 'ms', median(last), 5, { each: last })];
  },
};

// ---- HTTP -----------------------------------------------------------------------------------------------------------

const httpRow = {
  key: 'http',
  title: 'HTTP, tools/call on /mcp, 16 connections',
  run: async (settings) => {
    const problem = installPeers();
    if (problem !== null) return [{ what: httpRow.title, skipped: problem }];
    const ours = await startRelayHttp();
    const starters = [...(ours ? [async () => ours] : []), startSupergateway, startMcpProxy];
    return withTargets(starters, async (targets) => {
      const results = await alternate(targets, { clients: 16 }, settings);
      return ['supergateway', 'mcp-proxy'].map((name) => {
        const what = `HTTP, 16 connections`;
        if (ours !== null) return ratioResult(what, name, results.relay, results[name], 20);
        const detail = { peerP99Us: median(results[name].map((result) => result.latencyUs.p99)) };
        const skipped = 'the relay has no HTTP front yet; the peer alone was measured';
        return {
          what,
          unit: '/s',
          peerName: name,
          peer: perSecond(results[name]),
          budget: 20,
          skipped,
          detail,
        };
      });
    });
  },
};

// ---- growth ---------------------------------------------------------------------------------------------------------

function point(what, results, more = {}) {
  const detail = {
    relayUsPerMessage: median(results.map((result) => result.watchedUs)),
    p50Us: median(results.map((result) => result.latencyUs.p50)),
    p99Us: median(results.map((result) => result.latencyUs.p99)),
    ...more,
  };
  return { what, unit: '/s', ours: perSecond(results), detail };
}

const clientsCurve = {
  key: 'grow-clients',
  title: 'growth with clients (1 in flight each, 200 B)',
  run: async (settings) => {
    const results = [];
    for (const clients of [1, 10, 100, 1000, 10000]) {
      const what = `${clients} clients`;
      if (!enoughDescriptors(clients))
        results.push({ what, skipped: `the descriptor limit is ${descriptorLimit()}` });
      else
        // All their requests come at once, which is more than may wait by default.
        await withTargets([() => startRelay(['--max-waiting', '20000', ...crowdFlags])], async ([relay]) => {
          const runs = (await alternate([relay], { clients }, settings)).relay;
          results.push(point(what, runs, { residentBytes: residentBytes(relay.pid) }));
        });
    }
    return results;
  },
};

const childrenCurve = {
  key: 'grow-children',
  title: 'growth with children (200 clients × 4, 200 B)',
  run: async (settings) => {
    const results = [];
    for (const children of [1, 10, 50, 200]) {
      await withTargets([() => startRelayWithServers(children)], async ([relay]) => {
        const runs = (await alternate([relay], { clients: 200, 'in-flight': 4 }, settings)).relay;
        results.push(point(`${children} children`, runs, { residentBytes: residentBytes(relay.pid) }));
      });
    }
    return results;
  },
};

const sizeCurve = {
  key: 'grow-size',
  title: 'growth with message size (1 client × 4)',
  run: (settings) =>
    withTargets([startRelay], async ([relay]) => {
      const results = [];
      for (const size of [100, 1000, 10000, 100000, 1000000, 8000000]) {
        const runs = (await alternate([relay], { clients: 1, 'in-flight': 4, size }, settings)).relay;
        const megabytes = median(runs.map((run) => run.bytesInPerSecond)) / 1e6;
        results.push(
          point(`${size} B`, runs, {
            megabytesPerSecond: megabytes,
            residentBytes: residentBytes(relay.pid),
          }),
        );
      }
      return results;
    }),
};

export const rows = [
  throughputRow('1x1', '1 client × 1, 200 B', { clients: 1 }, { socat: 1.3, pump: 0.92 }),
  throughputRow('1x64', '1 client × 64', { clients: 1, 'in-flight': 64 }, { socat: 1.3, pump: 0.82 }),
  throughputRow('50x1', '50 clients × 1', { clients: 50 }, { socat: 4 }),
  throughputRow('50x16', '50 clients × 16', { clients: 50, 'in-flight': 16 }, { socat: 2.5, node: 10 }),
  throughputRow('1000x4', '1,000 clients × 4', { clients: 1000, 'in-flight': 4 }, { socat: 6 }),
  throughputRow('64k', '64 KiB × 8', { clients: 1, 'in-flight': 8, size: 65536 }, { socat: 4 }),
  // Without nodelay socat waits up to 40 ms for an acknowledgement at the end of each message. The budget is against plain
  // socat, as in the other rows; the second ratio shows what is left when that wait is taken away.
  throughputRow('8m', '8 MB × 1', { clients: 1, size: 8000000 }, { socat: 2, 'socat,nodelay': null }),
  memoryRow,
  idleLatencyRow,
  startRow,
  deathRow,
  httpRow,
  ...clientRows,
  clientsCurve,
  childrenCurve,
  sizeCurve,
];
