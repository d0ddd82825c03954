// The network exactly as a user gets it, with the library's own clocks: what the README promises in minutes and seconds.
import { after, before, test } from 'node:test';
import { scaled } from '../integration/lib/time.mjs';
import { docker } from './lib/engine.mjs';
import { Network } from './lib/network.mjs';
import { outage } from './lib/steps.mjs';
import { DEFAULT } from './lib/times.mjs';
import { Watch } from './lib/watch.mjs';

const network = new Network('network');
let watch;

before(async () => {
  await network.up();
  watch = new Watch(await network.url());
  await watch.source('live', 0, scaled(60_000));
});
after(async () => {
  await watch?.stop();
  await network.down();
});

test('defaults: paused for as long as it takes to notice', { timeout: scaled(120_000) }, async (t) => {
  const id = await network.id('relay');
  const figure = await outage(watch, DEFAULT, {
    down: () => docker('pause', id).then(() => Date.now()),
    up: () => docker('unpause', id).then(() => Date.now()),
    stay: 'stale',
  });
  t.diagnostic(`figure defaults, paused: ${figure}`);
});

test('defaults: killed and started', { timeout: scaled(180_000) }, async (t) => {
  const id = await network.id('relay');
  const figure = await outage(watch, DEFAULT, {
    down: () => docker('kill', '-s', 'KILL', id).then(() => undefined),
    up: async () => {
      const from = Date.now();
      await docker('start', id);
      return network.listeningAt(from);
    },
  });
  t.diagnostic(`figure defaults, killed: ${figure}`);
});
