// Links and disks that break without a word.
import fs from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { assert, assertRelayError, processInfo, scaled, test, until } from '../integration/lib/harness.mjs';
import { LineClient } from '../integration/lib/line_client.mjs';

const self = fileURLToPath(import.meta.url);
const LONG = process.env.TEST_LONG === '1';

/** How to run something in a network of its own, or why that cannot be done here. */
function ownNetwork() {
  for (const flags of ['-n', '-rn']) {
    const probe = spawnSync(
      'unshare',
      [flags, 'sh', '-c', 'ip link add va type veth peer name vb && nsenter --version'],
      {
        encoding: 'utf8',
      },
    );
    if (probe.status === 0) return { flags };
    if (probe.error) return { reason: `unshare: ${probe.error.code}` };
    if (flags === '-rn') return { reason: `no network namespace: ${probe.stderr.trim()}` };
  }
  return { reason: 'unreachable' };
}

const command = (program, ...args) => {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
};

/** A second machine, as far as TCP can tell: a network namespace at the other end of a cable. */
class OtherMachine {
  static #count = 0;
  #n = ++OtherMachine.#count; // the cable of the one before may not be gone yet

  get near() {
    return `10.99.${this.#n}.1`;
  }

  constructor(t) {
    this.process = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
    t.atEnd(() => this.process.kill('SIGKILL'));
  }

  async connectCable() {
    const net = (pid) => fs.readlinkSync(`/proc/${pid}/ns/net`);
    await until(() => net(this.process.pid) !== net('self'), 'the namespace is there');
    command(
      'ip',
      'link',
      'add',
      `va${this.#n}`,
      'type',
      'veth',
      'peer',
      'name',
      'vb',
      'netns',
      `${this.process.pid}`,
    );
    command('ip', 'addr', 'add', `${this.near}/24`, 'dev', `va${this.#n}`);
    command('ip', 'link', 'set', `va${this.#n}`, 'up');
    this.run('ip', 'addr', 'add', `10.99.${this.#n}.2/24`, 'dev', 'vb');
    this.run('ip', 'link', 'set', 'vb', 'up');
    const [, mac] = this.run('ip', '-o', 'link', 'show', 'vb').match(/link\/ether (\S+)/);
    command(
      'ip',
      'neigh',
      'replace',
      `10.99.${this.#n}.2`,
      'lladdr',
      mac,
      'dev',
      `va${this.#n}`,
      'nud',
      'permanent',
    );
  }

  run(...args) {
    return command('nsenter', '-t', `${this.process.pid}`, '-n', ...args);
  }

  /** From here on it takes no packet and sends none: no FIN, no RST, no ARP. */
  vanish() {
    this.run('ip', 'addr', 'flush', 'dev', 'vb');
  }

  async client(t, { host, port }) {
    const script = `const s = require("net").connect(${port}, "${host}"); process.stdin.pipe(s); s.pipe(process.stdout);`;
    const args = ['-t', `${this.process.pid}`, '-n', process.execPath, '-e', script];
    const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.atEnd(() => child.kill('SIGKILL'));
    const client = new LineClient(
      Duplex.from({ writable: child.stdin, readable: child.stdout }),
      'far client',
    );
    assert.ok((await client.initialize()).result);
    return client;
  }
}

if (process.env.IN_OWN_NETWORK) {
  const halfOpen = async (t) => {
    const other = new OtherMachine(t);
    await other.connectCable();
    const path = t.file('sock');
    const relay = await t.relay({
      relay: { listen: [`${other.near}:0`, `unix:${path}`], timeoutMs: 300_000 },
    });
    const watcher = await t.ready({ path });
    const vanished = await other.client(t, relay.address);
    vanished.sendScript(1, [{ hold: 'x' }, { reply: { pad: 'x'.repeat(100_000) } }]);
    await watcher.script([{ wait: { method: 'tools/call', count: 2 } }]);
    other.vanish();
    return { relay, watcher };
  };

  test('case 06: the link of a client is cut; its result comes; the slot is free at once', async (t) => {
    const { watcher } = await halfOpen(t);
    assert.deepEqual(await watcher.scriptValues([{ release: 'x' }]), [1]);
    await watcher.flush();
    assert.deepEqual((await watcher.request('relay/inflight')).result.calls, []);
  });

  const skip = LONG ? false : 'takes 70 s: TEST_LONG=1 runs it';
  const title = 'case 06: a client whose link was cut is noticed in about a minute, and its call cancelled';
  test(title, { skip, timeoutMs: 300_000 }, async (t) => {
    const { relay, watcher } = await halfOpen(t);
    const began = performance.now();
    const { reason } = await relay.event('client closed', {}, 120_000);
    t.figure(`a cut link was noticed after ${((performance.now() - began) / 1000).toFixed(0)} s: ${reason}`);
    await watcher.script([{ wait: { method: 'notifications/cancelled' } }]);
  });
} else {
  const network = ownNetwork();
  const options = { skip: network.reason ?? false, timeoutMs: 300_000 };
  test('case 06: half-open links, in a network of their own', options, async (t) => {
    const args = [network.flags, process.execPath, '--test', '--test-reporter=tap', self];
    const { status, stdout, stderr } = spawnSync('unshare', args, {
      env: { ...process.env, IN_OWN_NETWORK: '1', NODE_TEST_CONTEXT: undefined },
      encoding: 'utf8',
      timeout: scaled(180_000),
    });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^# pass [1-9]/m, stdout);
    for (const [line] of stdout.matchAll(/# figure.*/g)) t.figure(line.slice('# figure '.length));
  });
}

if (!process.env.IN_OWN_NETWORK) {
  test('a log on a full disk does not stop the relay', async (t) => {
    const path = t.file('sock');
    const relay = t.startRelay({
      relay: { listen: [`unix:${path}`], logLevel: 'debug' },
      wrap: ['sh', '-c', 'exec "$0" "$@" 2>/dev/full'],
    });
    await until(() => fs.existsSync(path), 'it listens');
    relay.addresses = [{ path }];
    const client = await until(() => t.ready({ path }).catch(() => null), 'it accepts');
    for (let i = 0; i < 50; i++) await client.flush();
    await relay.stop();
  });

  test('a relay that was stopped by SIGSTOP goes on where it was', async (t) => {
    const relay = await t.relay({ relay: { servers: { fake: { timeoutMs: scaled(20_000) } } } });
    const clients = await Promise.all(Array.from({ length: 5 }, () => t.ready(relay)));
    relay.signal('SIGSTOP');
    await until(() => processInfo(relay.pid).state === 'T', 'it stands still');
    for (const client of clients) for (let id = 0; id < 20; id++) client.sendScript(id, [{ reply: { id } }]);
    const late = await LineClient.connect(relay.address); // the kernel takes it in
    relay.signal('SIGCONT');
    for (const client of clients)
      for (let id = 0; id < 20; id++) assert.deepEqual((await client.reply(id)).result, { id });
    assert.ok((await late.initialize()).result);
    await late.destroy();
  });

  test('a keeper that was stopped by SIGSTOP does not keep the relay from ending', async (t) => {
    const relay = await t.relay({ relay: { stopGraceMs: scaled(300) } });
    const client = await t.ready(relay);
    await client.flush();
    const [keeper] = relay.keepers();
    process.kill(keeper.pid, 'SIGSTOP');
    await relay.stop();
    await relay.noDescendants(scaled(4000));
  });

  test('a child that closes its stdout, but lives on, is not waited for', async (t) => {
    const relay = await t.relay({
      relay: { backoffMinMs: 10, stopGraceMs: scaled(300), servers: { fake: { timeoutMs: scaled(5000) } } },
    });
    const client = await t.ready(relay);
    client.sendScript(1, [{ closeStdout: 1 }, { never: 1 }]);
    const answer = await client.reply(1);
    assert.ok(['SERVER_UNAVAILABLE', 'TIMEOUT'].includes(answer.error?.data.code), JSON.stringify(answer));
    assertRelayError(answer, answer.error.data.code, { sent: true });
    await until(
      async () => !(await client.script([], { deadlineMs: scaled(15_000) })).error,
      'a new child serves',
      scaled(40_000),
    );
  });
}
