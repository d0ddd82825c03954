// Fallback and return in the real network, with short times of the backend: mock, live, and for each way in which a relay can go
// (killed, crashed, paused, cut off, moved to another address, restarted, its server alone killed) stale, mock, live again.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { scaled, until } from '../integration/lib/time.mjs';
import { attempt, docker } from './lib/engine.mjs';
import { Network } from './lib/network.mjs';
import { checkReturn, outage, showsEverywhere } from './lib/steps.mjs';
import { SHORT } from './lib/times.mjs';
import { Watch } from './lib/watch.mjs';

const network = new Network('network', ['tests/compose/short_times.yaml']);
let watch;

/** A test in which the relay runs at the beginning; what it did to the relay is undone at the end, passed or not. */
function step(name, body) {
  test(name, { timeout: scaled(90_000) }, async (t) => {
    try {
      await body(t);
      assert.deepEqual(watch.failures.splice(0), [], 'the health was 200 all the time');
    } catch (error) {
      for (const line of await network.everyLog()) t.diagnostic(line);
      const id = await network.id('relay').catch(() => undefined);
      if (id) await attempt('unpause', id);
      if (id) await network.up();
      throw error;
    }
  });
}

/** Mock agents are shown when the last live ones are too old, and not before that. */
function noMock(from, to) {
  const oldest = from + SHORT.staleMaxMs - SHORT.pollMs;
  assert.ok(!watch.saw('mock', from, Math.min(to, oldest)), 'mock was shown while the last live agents were young');
}

before(async () => {
  await network.compose('up', '--no-start', '--no-build');
});
after(async () => {
  await watch?.stop();
  await network.down();
});

step('backend first: mock at once, and healthy', async (t) => {
  const from = Date.now();
  await network.up('backend');
  const started = Date.parse((await network.inspect('backend')).State.StartedAt);
  watch = new Watch(await network.url());
  const first = await watch.first(() => true, from, 'the first answer');
  assert.equal(first.health.source, 'mock');
  t.diagnostic(`figure backend alone: first answer ${first.at - started} ms after the container's start, mock`);
  watch.failures = []; // before it listened
  const shown = await watch.first(({ lastError }) => lastError !== null, from, 'the error of a relay that is not there');
  assert.equal(shown.health.state, 'degraded');
  await showsEverywhere(watch.url, 'mock');
  await network.healthy('backend');
});

step('relay started: live', async (t) => {
  const from = Date.now();
  await network.up('relay');
  const listening = await network.listeningAt(from);
  const live = await watch.source('live', from);
  t.diagnostic(`figure relay started: listens ${checkReturn(watch, SHORT, listening, live.at)}`);
  await showsEverywhere(watch.url, 'live');
  await network.healthy('relay');
});

/** docker start, and when the relay listened. */
async function start(id) {
  const from = Date.now();
  await docker('start', id);
  return network.listeningAt(from);
}

step('killed (docker kill) and started', async (t) => {
  const id = await network.id('relay');
  const figure = await outage(watch, SHORT, {
    down: () => docker('kill', '-s', 'KILL', id).then(() => undefined),
    up: async () => {
      // Whoever kills a container by hand means it: no restart policy brings it back.
      assert.equal((await network.inspect('relay')).State.Status, 'exited');
      return start(id);
    },
  });
  t.diagnostic(`figure killed: ${figure}`);
});

step('crashed (kill -9 of the relay in its container): the restart policy brings it back', async (t) => {
  await watch.source('live', Date.now());
  const from = Date.now();
  const before = (await network.inspect('relay')).RestartCount;
  await network.killInside('relay', 'agent-relay');
  const stale = await watch.source('stale', from, scaled(SHORT.noticeMs));
  const listening = await network.listeningAt(from);
  const live = await watch.source('live', stale.at);
  await showsEverywhere(watch.url, 'live');
  const { RestartCount, State } = await network.inspect('relay');
  assert.equal(RestartCount, before + 1);
  assert.equal(State.Status, 'running');
  noMock(from, live.at);
  const figure = checkReturn(watch, SHORT, listening, live.at);
  t.diagnostic(`figure crashed: down -> stale ${stale.at - from} ms; listens again after ${listening - from} ms, ${figure}`);
});

step('paused and unpaused', async (t) => {
  const id = await network.id('relay');
  const figure = await outage(watch, SHORT, {
    down: () => docker('pause', id).then(() => Date.now()),
    up: () => docker('unpause', id).then(() => Date.now()),
  });
  t.diagnostic(`figure paused: ${figure}`);
});

step('cut from the network and connected again', async (t) => {
  const id = await network.id('relay');
  const { name } = await network.place('relay');
  const aliases = ['relay', 'multi-agent-container'].flatMap((alias) => ['--alias', alias]);
  const figure = await outage(watch, SHORT, {
    down: () => docker('network', 'disconnect', name, id).then(() => Date.now()),
    up: () => docker('network', 'connect', ...aliases, name, id).then(() => Date.now()),
  });
  t.diagnostic(`figure cut off: ${figure}`);
});

step('stopped, and started at another address', async (t) => {
  const id = await network.id('relay');
  const old = await network.place('relay');
  const figure = await outage(watch, SHORT, {
    down: () => docker('stop', id).then(() => undefined),
    up: async () => {
      await until(async () => (await network.occupyAddress()) === old.ip, 'its old address is taken');
      return start(id);
    },
  });
  const { ip } = await network.place('relay');
  assert.notEqual(ip, old.ip);
  t.diagnostic(`figure moved from ${old.ip} to ${ip}: ${figure}`);
  assert.ok(watch.last.health.relay.peer.startsWith(ip), `peer ${watch.last.health.relay.peer}`);
});

step('restarted in order (docker restart)', async (t) => {
  const id = await network.id('relay');
  await watch.source('live', Date.now());
  const from = Date.now();
  await docker('restart', id);
  const listening = await network.listeningAt(from);
  const stale = await watch.source('stale', from);
  const live = await watch.source('live', stale.at);
  await showsEverywhere(watch.url, 'live');
  noMock(from, live.at);
  const figure = checkReturn(watch, SHORT, listening, live.at);
  t.diagnostic(`figure restarted: down -> stale ${stale.at - from} ms; listens ${figure}`);
});

step('the server behind the relay killed: another takes its place', async (t) => {
  await watch.source('live', Date.now());
  const from = Date.now();
  const old = await network.killInside('relay', 'agent-mock');
  const renewed = async () => {
    const found = (await network.processes('relay')).find(({ name, pid }) => name === 'agent-mock' && pid !== old);
    return found && Date.now();
  };
  const again = await until(renewed, 'another agent-mock');
  const live = await watch.source('live', again);
  await showsEverywhere(watch.url, 'live');
  noMock(from, live.at);
  const stale = watch.saw('stale', from, live.at) ? 'stale in between' : 'live all the time';
  t.diagnostic(`figure server killed: another after ${again - from} ms, live ${live.at - from} ms after the kill, ${stale}`);
  const left = (await network.processes('relay')).filter(({ state }) => state === 'Z');
  assert.deepEqual(left, [], 'no zombie');
});

step('the server behind the relay frozen: the relay is up, its server is not, and the health check shows it', async (t) => {
  const check = (await network.inspect('relay')).Config.Healthcheck.Test.slice(1);
  let seen;
  let checked;
  const figure = await outage(watch, SHORT, {
    down: () => network.signalInside('relay', 'agent-mock', 'STOP').then(() => Date.now()),
    up: async () => {
      seen = watch.last.health;
      checked = await network.exec('relay', ...check);
      await network.signalInside('relay', 'agent-mock', 'CONT');
      return Date.now();
    },
  });
  assert.deepEqual([seen.relay.reach, seen.server.reach], ['up', 'down']);
  assert.equal(checked.code, 3, checked.stdout + checked.stderr);
  assert.equal((await network.exec('relay', ...check)).code, 0);
  t.diagnostic(`figure server frozen: ${figure}; its error: ${seen.lastError.message}`);
});

step('backend replaced while the relay runs: live without delay', async (t) => {
  await watch.stop();
  const slowest = watch.slowestMs;
  await network.compose('up', '-d', '--no-build', '--force-recreate', '--no-deps', 'backend');
  const started = Date.parse((await network.inspect('backend')).State.StartedAt);
  watch = new Watch(await network.url());
  const live = await watch.source('live', started);
  await showsEverywhere(watch.url, 'live');
  watch.failures = []; // before it listened
  t.diagnostic(`figure relay first: live ${live.at - started} ms after the start of the backend's container`);
  t.diagnostic(`figure slowest health answer of all this: ${slowest} ms`);
});

step('after all this: nothing but tini, relay, keeper and server in the container', async () => {
  const names = async () => (await network.processes('relay')).map(({ name }) => name).sort();
  const wanted = ['agent-mock', 'agent-relay', 'mcp-keeper', 'tini'];
  // The listing itself, and a health check that happens to run, come and go.
  const passing = (name) => ['sh', 'cat', 'agent-relayctl'].includes(name);
  await until(async () => JSON.stringify((await names()).filter((name) => !passing(name))) === JSON.stringify(wanted), 'no other');
});
