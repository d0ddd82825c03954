// The network of compose.yaml as a project of its own: started, looked at from outside, and taken down with all it had.
import assert from 'node:assert/strict';
import { until } from '../../integration/lib/time.mjs';
import { attempt, compose, docker, inspect, logsOf } from './engine.mjs';

/** Programs in a container, by /proc alone: { pid, parent, name, state }. */
function parseProcesses(stats) {
  const lines = stats.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [, pid, name, state, parent] = /^(\d+) \((.*)\) (\S) (\d+) /.exec(line);
    return { pid: Number(pid), name, state, parent: Number(parent) };
  });
}

export class Network {
  /** `name`: network or node, what tests/compose/run cleans up after. `files`: beside compose.yaml. */
  constructor(name, files = []) {
    this.project = `${process.env.TEST_PROJECT ?? `agent-relay-test-${process.pid}`}-${name}`;
    this.files = ['compose.yaml', ...files];
    this.extra = [];
  }

  compose(...args) {
    return compose(this.project, this.files, args);
  }

  /** Starts these services as compose.yaml has them, from the images that are there. */
  up(...services) {
    return this.compose('up', '-d', '--no-build', ...services);
  }

  async down() {
    for (const id of this.extra.splice(0)) await attempt('rm', '-f', id);
    await this.compose('down', '--timeout', '10', '--volumes');
  }

  /** The id of a service's container, running or not. */
  async id(service) {
    const label = (key, value) => ['--filter', `label=com.docker.compose.${key}=${value}`];
    const id = await docker('ps', '-aq', ...label('project', this.project), ...label('service', service));
    assert.match(id, /^[0-9a-f]+$/, `one container of ${service}`);
    return id;
  }

  async inspect(service) {
    return inspect(await this.id(service));
  }

  /** The network's name and the address that a service has there. */
  async place(service) {
    const { Networks } = (await this.inspect(service)).NetworkSettings;
    const [[name, { IPAddress }]] = Object.entries(Networks);
    return { name, ip: IPAddress };
  }

  /** The backend's page, as it is published. */
  async url() {
    const { Ports } = (await this.inspect('backend')).NetworkSettings;
    const [{ HostIp, HostPort }] = Ports['8080/tcp'];
    return `http://${HostIp}:${HostPort}`;
  }

  /** A shell line in a service's container. */
  async sh(service, line) {
    return attempt('exec', await this.id(service), 'sh', '-c', line);
  }

  /** A program in a service's container. */
  async exec(service, ...args) {
    return attempt('exec', await this.id(service), ...args);
  }

  async processes(service) {
    // A process may end between the listing and the reading.
    return parseProcesses((await this.sh(service, 'cat /proc/[0-9]*/stat 2>/dev/null || :')).stdout);
  }

  async process(service, name) {
    const found = (await this.processes(service)).filter((one) => one.name === name && one.state !== 'Z');
    assert.equal(found.length, 1, `one ${name} in ${service}`);
    return found[0];
  }

  /** kill -9 inside the container: what a crash or the kernel's out-of-memory killer does. */
  killInside(service, name) {
    return this.signalInside(service, name, 'KILL');
  }

  /** Returns the process's number. */
  async signalInside(service, name, signal) {
    const { pid } = await this.process(service, name);
    const { code, stderr } = await this.sh(service, `kill -${signal} ${pid}`);
    assert.equal(code, 0, stderr);
    return pid;
  }

  async healthy(service, deadlineMs) {
    const status = async () => (await this.inspect(service)).State.Health.Status === 'healthy';
    await until(status, `${service} is healthy`, deadlineMs);
  }

  logs(service, ...args) {
    return this.id(service).then((id) => logsOf(id, ...args));
  }

  /** When the relay last said that it listens (ms since the epoch), not before `sinceMs`. */
  async listeningAt(sinceMs) {
    return until(async () => {
      const lines = (await this.logs('relay')).split('\n').filter((line) => /\bevent="?listening"? /.test(line));
      const at = lines.map((line) => Date.parse(/\bts=(\S+)/.exec(line)[1])).at(-1);
      return at >= sinceMs && at;
    }, 'the relay listens');
  }

  /** What `docker run` needs for a container beside the services: an image that Compose built says that it is one of them. */
  get beside() {
    return ['--label', `com.docker.compose.project=${this.project}`, '--label', 'com.docker.compose.service=beside'];
  }

  /** A container beside the services that does nothing but hold the lowest address that is free; that address. */
  async occupyAddress() {
    const { name } = await this.place('backend');
    const { Config } = await this.inspect('relay');
    const args = ['-d', ...this.beside, '--network', name, '--entrypoint', 'sleep', Config.Image, '600'];
    const id = await docker('run', ...args);
    this.extra.push(id);
    const { Networks } = (await inspect(id)).NetworkSettings;
    return Networks[name].IPAddress;
  }

  /** The ends of both logs, as lines. */
  async everyLog() {
    const one = async (service) => {
      const text = await this.logs(service, '--tail', '40').catch((error) => error.message);
      return text.split('\n').map((line) => `${service}: ${line}`);
    };
    return (await Promise.all(['relay', 'backend'].map(one))).flat();
  }
}
