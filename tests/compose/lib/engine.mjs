// Commands to the Docker engine and to Compose. What they print is what they return; what fails, throws with its stderr.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scaled } from '../../integration/lib/time.mjs';

const run = promisify(execFile);
export const root = fileURLToPath(new URL('../../..', import.meta.url));
const COMMAND_TIMEOUT_MS = scaled(120_000);

export const tag = process.env.AGENT_RELAY_TAG ?? 'compose-test';
/** What compose.yaml is to fill in: the tests' images, a port of the kernel's choice. */
const images = { AGENT_RELAY_TAG: tag, AGENT_BACKEND_PORT: '0' };

async function command(program, args, env = {}) {
  const options = { cwd: root, env: { ...process.env, ...env }, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 << 20 };
  const { stdout, stderr } = await run(program, args, options);
  return { stdout: stdout.trim(), stderr: stderr.trim() };
}

/** docker ARGS... */
export async function docker(...args) {
  return (await command('docker', args)).stdout;
}

/** What `docker logs` shows, of both streams. */
export async function logsOf(id, ...args) {
  const { stdout, stderr } = await command('docker', ['logs', ...args, id]);
  return `${stdout}\n${stderr}`;
}

/** A docker command that may fail: { code, stdout, stderr }. */
export async function attempt(...args) {
  try {
    return { code: 0, ...(await command('docker', args)) };
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stdout: error.stdout.trim(), stderr: error.stderr.trim() };
  }
}

export async function inspect(id) {
  return JSON.parse(await docker('inspect', id))[0];
}

/** The Compose that tests/compose/run found. */
export async function compose(project, files, args) {
  const [program, ...first] = (process.env.COMPOSE ?? 'docker compose').split(' ');
  const named = files.flatMap((file) => ['-f', file]);
  return (await command(program, [...first, '-p', project, ...named, ...args], images)).stdout;
}
