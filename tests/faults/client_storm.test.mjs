// The client library in a storm: eight threads call while the relay is reset, silenced, left without its server and
// brought back. Three seconds and 20 disconnects, or STORM_SECONDS and STORM_DISCONNECTS.
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, root, scaled, test } from '../integration/lib/harness.mjs';

const seconds = process.env.STORM_SECONDS ?? '3';
const disconnects = process.env.STORM_DISCONNECTS ?? '20';
const testBin = path.resolve(root, process.env.AGENT_RELAY_TESTS ?? 'build/tests');

test('case 20: a storm of disconnects: every call completes exactly once, nothing leaks', (t) => {
  const { status, stdout, stderr } = spawnSync(
    path.join(testBin, 'client_storm'),
    ['--seconds', seconds, '--disconnects', disconnects],
    { encoding: 'utf8', timeout: Number(seconds) * 1000 + scaled(60_000) },
  );
  assert.equal(status, 0, `${stderr}${stdout}`);
  t.figure(stdout.trim());
});
