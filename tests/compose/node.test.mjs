// The relay with Node.js: the example of docker/relay.json, uncommented as it tells its reader to, runs a server from npm in a
// container whose root is read-only.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { scaled } from '../integration/lib/time.mjs';
import { root } from './lib/engine.mjs';
import { Network } from './lib/network.mjs';

let folder;
let network;
after(async () => {
  await network?.down();
  if (folder) await fs.rm(folder, { recursive: true });
});

/** docker/relay.json with the lines of its example in force. */
async function uncommented() {
  const text = await fs.readFile(path.join(root, 'docker/relay.json'), 'utf8');
  const result = text.replace(/^(\s*)\/\/ (".*,)$/gm, '$1$2');
  assert.equal(result.split('\n').filter((line, i) => line !== text.split('\n')[i]).length, 3, 'three lines');
  return result;
}

/** What a machine behind a registry mirror or a proxy of its own needs inside the container, from this process's environment. */
function machineSettings() {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NPM_CONFIG_REGISTRY'];
  const environment = Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  if (certificates) environment.NODE_EXTRA_CA_CERTS = '/etc/agent-relay/certificates.pem';
  const volumes = certificates ? [`${certificates}:/etc/agent-relay/certificates.pem:ro`] : [];
  return { environment, volumes };
}

test('a server from npm, as in the example', { timeout: scaled(240_000) }, async (t) => {
  // Whichever registry this machine is set to.
  const ping = spawnSync('npm', ['view', '@modelcontextprotocol/server-memory', 'name'], { encoding: 'utf8', timeout: 20_000 });
  if (ping.status !== 0) {
    t.skip(`npm cannot reach its registry: ${(ping.stderr ?? ping.error?.message ?? '').trim().split('\n')[0]}`);
    return;
  }
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'compose-node-'));
  await fs.chmod(folder, 0o755);
  await fs.writeFile(path.join(folder, 'relay.json'), await uncommented(), { mode: 0o644 });
  const { environment, volumes } = machineSettings();
  const relay = {
    environment: { ...environment, AGENT_RELAY_INHERIT_ENV: 'NPM_CONFIG_REGISTRY' },
    volumes: [`${folder}/relay.json:/etc/agent-relay/relay.json:ro`, ...volumes],
  };
  // JSON is YAML.
  const file = path.join(folder, 'compose.json');
  await fs.writeFile(file, JSON.stringify({ services: { relay } }));

  network = new Network('node', ['docker/compose.node.yaml', file]);
  await network.up('relay');
  await network.healthy('relay');
  const ctl = (...args) => network.exec('relay', 'agent-relayctl', '--relay', '127.0.0.1:9501', '--timeout', '200000', ...args);
  const from = Date.now();
  const tools = await ctl('tools');
  assert.equal(tools.code, 0, `${tools.stdout}\n${tools.stderr}\n${await network.logs('relay')}`);
  assert.match(tools.stdout, /create_entities/);
  t.diagnostic(`figure relay-node: first answer of a server that npx downloads: ${Date.now() - from} ms`);

  const entities = '[{"name":"relay","entityType":"program","observations":["it runs"]}]';
  const made = await ctl('tool', 'create_entities', `entities:=${entities}`);
  assert.equal(made.code, 0, made.stderr);
  assert.match((await ctl('tool', 'read_graph')).stdout, /it runs/);
  const { stdout } = await network.sh('relay', 'id -u; node --version; touch /x; cat /proc/1/status');
  const [, major] = /^10001\nv(\d+)/.exec(stdout);
  assert.ok(Number(major) >= 22, `Node.js ${major}`);
  assert.match(stdout, /CapEff:\s+0{16}/);
});
