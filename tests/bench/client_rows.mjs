// The rows of the client library: calls against a bare socket on the same relay, and against nats.c, whose request/reply is
// the same way (client, server in the middle, answering process) in the same roles; the cost of reading a snapshot; memory.

import { load, median, runJson } from './measure.mjs';
import { clientPath, natsPath, startNats, startRelay } from './targets.mjs';

const PIPE = 64;

async function withBoth(use) {
  const relay = await startRelay();
  let nats;
  try {
    nats = await startNats();
    return await use(relay, nats);
  } finally {
    await relay.stop();
    await nats?.stop();
  }
}

const address = (relay) => `127.0.0.1:${relay.ports[0]}`;

async function calls(program, mode, target, count, settings) {
  const result = await runJson(program, [mode, target, count, settings.warmupMs, settings.runMs].map(String));
  if (result.errors > 0 || result.answers === 0) throw new Error(`${program} ${mode}: ${JSON.stringify(result)}`);
  return result;
}

const perSecond = (results) => median(results.map((result) => result.perSecond));
const latency = (results, name) => median(results.map((result) => result.latencyUs[name]));

function ratio(what, ours, peerName, theirs, budget) {
  const value = median(ours.map((result, i) => result.perSecond / theirs[i].perSecond));
  const detail = { p50Us: latency(ours, 'p50'), p99Us: latency(ours, 'p99') };
  Object.assign(detail, { peerP50Us: latency(theirs, 'p50'), peerP99Us: latency(theirs, 'p99') });
  const judged = budget === undefined ? {} : { budget, pass: value >= budget };
  return { what, unit: '/s', ours: perSecond(ours), peerName, peer: perSecond(theirs), ratio: value, ...judged, detail };
}

const callsRow = (key, title, mode, count) => ({
  key,
  title,
  run: (settings) =>
    withBoth(async (relay, nats) => {
      const bare = { clients: 1, 'in-flight': count, warmup: settings.warmupMs, duration: settings.runMs };
      const ours = [];
      const socket = [];
      const theirs = [];
      for (let i = 0; i < settings.repetitions; i++) {
        ours.push(await calls(clientPath, mode, address(relay), count, settings));
        socket.push(await load(relay, bare));
        theirs.push(await calls(natsPath, mode, nats.url, count, settings));
      }
      return [ratio(title, ours, 'bare socket', socket), ratio(title, ours, 'nats.c', theirs, 1.0)];
    }),
});

const readRow = {
  key: 'client-read',
  title: 'library: taking and releasing a snapshot',
  run: async (settings) => {
    const relay = await startRelay();
    try {
      const results = [];
      for (const readers of [1, 8]) {
        const ns = [];
        for (let i = 0; i < settings.repetitions; i++)
          ns.push(await runJson(clientPath, ['read', address(relay), readers, 0, settings.runMs].map(String)));
        const each = median(ns.map((run) => run.nsPerRead));
        const what = `library: snapshot read, ${readers} reader${readers > 1 ? 's' : ''}`;
        if (readers > 1) results.push({ what, unit: 'ns', ours: each });
        else results.push({ what, unit: 'ns', ours: each, budget: 100, atMost: true, pass: each < 100 });
      }
      return results;
    } finally {
      await relay.stop();
    }
  },
};

const memoryRow = {
  key: 'client-memory',
  title: 'library: a live client, resident, of 100',
  run: () =>
    withBoth(async (relay, nats) => {
      const measure = (program, mode, target) => runJson(program, [mode, target, '100', '0', '0']);
      const theirs = await measure(natsPath, 'memory', nats.url);
      const thread = await measure(clientPath, 'memory', address(relay));
      const loop = await measure(clientPath, 'shared', address(relay));
      const row = (what, ours, peer) => {
        const ratio = ours / peer;
        return { what, unit: 'KiB', ours: ours / 1024, peerName: 'nats.c', peer: peer / 1024, ratio };
      };
      const judged = (result) => ({ ...result, budget: 0.25, atMost: true, pass: result.ratio <= 0.25 });
      return [
        judged(row('library: a live client, own thread', thread.bytesPerClient, theirs.bytesPerClient)),
        judged(row("library: a live client, host's loop", loop.bytesPerClient, theirs.bytesPerClient)),
        row('library: a process with one client', thread.base, theirs.base),
      ];
    }),
};

export const clientRows = [
  callsRow('client-sync', 'library: calls, 1 in flight', 'sync', 1),
  callsRow('client-pipe', `library: calls, ${PIPE} in flight`, 'pipe', PIPE),
  readRow,
  memoryRow,
];
