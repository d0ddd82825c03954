// What the images and the containers are: small, without rights, without anything to write to, reachable where they should
// be and nowhere else, and gone in time after docker stop.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { until } from '../integration/lib/time.mjs';
import { attempt, docker, inspect, root, tag } from './lib/engine.mjs';
import { Network } from './lib/network.mjs';

const MAX_BYTES_BEYOND_BASE = 25e6;
const BASE = 'debian:bookworm-slim';
const network = new Network('network', ['tests/compose/short_times.yaml']);

before(async () => {
  await network.up();
  await Promise.all(['relay', 'backend'].map((service) => network.healthy(service)));
});
after(() => network.down());

test('the two Dockerfiles build in one and the same stage', async () => {
  const stage = async (name) => {
    const text = await fs.readFile(path.join(root, 'docker', `${name}.Dockerfile`), 'utf8');
    const [found] = /^# build:begin\n[^]*^# build:end$/m.exec(text);
    assert.match(found, /^RUN make /m);
    return found;
  };
  assert.equal(await stage('relay'), await stage('backend'));
});

for (const name of ['agent-relay', 'agent-backend', 'agent-relay-node']) {
  test(`${name} is small`, async (t) => {
    const image = await inspect(`${name}:${tag}`);
    const base = await inspect(BASE);
    assert.deepEqual(image.RootFS.Layers.slice(0, base.RootFS.Layers.length), base.RootFS.Layers, `it is built on ${BASE}`);
    const bytes = image.Size - base.Size;
    t.diagnostic(`figure ${name}: ${(bytes / 1e6).toFixed(1)} MB beyond its base`);
    if (name !== 'agent-relay-node') assert.ok(bytes > 0 && bytes < MAX_BYTES_BEYOND_BASE, `${bytes} bytes`);
  });
}

for (const service of ['relay', 'backend']) {
  test(`${service} runs without rights`, async () => {
    const { stdout } = await network.sh(service, 'id -u; cat /proc/[0-9]*/status 2>/dev/null || :');
    const [uid] = stdout.split('\n');
    assert.equal(uid, '10001');
    const every = (key) => [...stdout.matchAll(new RegExp(`^${key}:\\s*(.*)$`, 'gm'))].map(([, value]) => value);
    assert.ok(every('Name').length >= 3, stdout);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      for (const value of every(set)) assert.equal(BigInt(`0x${value}`), 0n, set);
    }
    for (const value of every('NoNewPrivs')) assert.equal(value, '1');
    for (const value of every('Uid')) assert.deepEqual(value.split(/\s+/), Array(4).fill('10001'));
    const { HostConfig } = await network.inspect(service);
    assert.equal(HostConfig.Privileged, false);
  });

  test(`${service} can write to /tmp alone`, async () => {
    const folders = ['/', '/etc', '/usr/local/bin', '/var/tmp', '/home'];
    for (const folder of folders) {
      // As root, too: what keeps it from writing is the file system, not its uid.
      for (const user of ['10001', '0']) {
        const { code, stderr } = await attempt('exec', '-u', user, await network.id(service), 'touch', `${folder}/x`);
        assert.equal(code, 1);
        assert.match(stderr, /Read-only file system/);
      }
    }
    const tmp = await network.sh(service, 'cp /bin/true /tmp/x && echo written && ! /tmp/x');
    assert.deepEqual([tmp.code, tmp.stdout], [0, 'written'], 'what lies in /tmp does not run');
  });

  test(`${service} keeps its log within bounds`, async () => {
    const { Type, Config } = (await network.inspect(service)).HostConfig.LogConfig;
    assert.equal(Type, 'json-file');
    assert.deepEqual(Config, { 'max-file': '3', 'max-size': '10m' });
  });

  test(`${service} leaves no process behind and has no zombie`, async () => {
    // A process whose parent is gone falls to process 1 when it ends, and stays a zombie where nobody there waits for it.
    const { code } = await network.sh(service, '(sleep 600 >/dev/null 2>&1 &)');
    assert.equal(code, 0);
    const orphan = async () => (await network.processes(service)).find(({ name }) => name === 'sleep');
    const { parent } = await until(orphan, 'the orphan was seen');
    assert.equal(parent, 1);
    await network.killInside(service, 'sleep');
    await until(async () => !(await orphan()), 'the orphan was reaped');
    assert.deepEqual((await network.processes(service)).filter(({ state }) => state === 'Z'), []);
  });
}

test('the port of the relay is published nowhere, that of the backend on loopback alone', async () => {
  const published = async (service) => Object.entries((await network.inspect(service)).NetworkSettings.Ports);
  assert.deepEqual(await published('relay'), [['9500/tcp', null]]);
  const [[port, places], ...others] = await published('backend');
  assert.equal(port, '8080/tcp');
  assert.deepEqual(others, []);
  assert.deepEqual(places.map(({ HostIp }) => HostIp), ['127.0.0.1']);
});

test('the network knows the relay by both its names', async () => {
  const { name } = await network.place('relay');
  for (const host of ['relay', 'multi-agent-container']) {
    const run = ['run', '--rm', ...network.beside, '--network', name, '--entrypoint', 'agent-relayctl'];
    const { code, stdout, stderr } = await attempt(...run, `agent-relay:${tag}`, '--relay', `${host}:9500`, 'status');
    assert.equal(code, 0, `${host}: ${stdout} ${stderr}`);
  }
});

test('the health check of the relay includes its server', async () => {
  const check = (await network.inspect('relay')).Config.Healthcheck.Test.slice(1);
  assert.equal((await network.exec('relay', ...check)).code, 0);
  // A server that cannot work: the relay answers, the check must not be content.
  const often = ['--health-interval', '1s', '--health-start-period', '0s'];
  const args = ['-d', ...network.beside, ...often, `agent-relay:${tag}`];
  const id = await docker('run', ...args, 'serve', '--start', 'eager', '--listen', '0.0.0.0:9500', '--', 'false');
  network.extra.push(id);
  await until(async () => (await attempt('exec', id, ...check)).code === 3, 'the check reports: degraded');
  await until(async () => (await inspect(id)).State.Health.Status === 'unhealthy', 'unhealthy');
});

test('the health check of the backend is a request to the service', async () => {
  const check = (await network.inspect('backend')).Config.Healthcheck.Test.slice(1);
  assert.equal((await network.exec('backend', ...check)).code, 0);
  const elsewhere = ['exec', '-e', 'AGENT_BACKEND_LISTEN=0.0.0.0:1', await network.id('backend'), ...check];
  const { code, stderr } = await attempt(...elsewhere);
  assert.notEqual(code, 0);
  assert.match(stderr, /0\.0\.0\.0:1: Connection refused/);
});

test('the relay stops in time with a call in flight, the backend at once', async (t) => {
  const call = network.exec('relay', 'agent-relayctl', '--timeout', '60000', 'tool', 'slow', 'steps:=60', 'stepMs:=1000');
  const inFlight = async () => {
    const { stdout } = await network.exec('relay', 'agent-relayctl', '--json', 'call', 'relay/servers');
    return JSON.parse(stdout).servers[0].inFlight > 0;
  };
  await until(inFlight, 'the call is in flight');
  for (const [service, withinMs] of [['relay', 10_000], ['backend', 5_000]]) {
    const id = await network.id(service);
    const { Config } = await inspect(id);
    assert.ok(Config.StopTimeout * 1000 <= withinMs, `stop_grace_period ${Config.StopTimeout} s`);
    const from = Date.now();
    await docker('stop', id);
    const took = Date.now() - from;
    const { State } = await inspect(id);
    t.diagnostic(`figure ${service}: docker stop took ${took} ms`);
    assert.equal(State.ExitCode, 0, `how ${service} ended`);
    assert.ok(took < withinMs, `${took} ms`);
  }
  assert.notEqual((await call).code, 0, 'the call was answered with an error');
});
