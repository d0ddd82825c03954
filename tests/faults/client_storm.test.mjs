// The client library in a storm: eight threads call while the relay is reset, silenced, left without its server and
// brought back. Three seconds here; the program's own head says how to run the long one.
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { assert, root, scaled, test } from '../integration/lib/harness.mjs';

const testBin = path.resolve(root, process.env.AGENT_RELAY_TESTS ?? 'build/tests');

test('case 20: a storm of disconnects: every call completes exactly once, nothing leaks', (t) => {
  const { status, stdout, stderr } = spawnSync(
    path.join(testBin, 'client_storm'),
    ['--seconds', '3', '--disconnects', '20'],
    { encoding: 'utf8', timeout: scaled(60_000) },
  );
  assert.equal(status, 0, `${stderr}${stdout}`);
  t.figure(stdout.trim());
});
