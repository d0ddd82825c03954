// One outage, seen from the backend's side: live, the relay goes, stale, mock, the relay comes back, live again.
import assert from 'node:assert/strict';
import { scaled } from '../../integration/lib/time.mjs';

/** What connecting, initialize and the first list of agents may take once an attempt is due. */
const CONNECT_MS = scaled(500);

async function get(url, path) {
  const answer = await fetch(url + path, { signal: AbortSignal.timeout(scaled(2_000)) });
  assert.equal(answer.status, 200, path);
  return answer;
}

/** The stream's first event: its name and its data. */
async function firstEvent(url) {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), scaled(5_000));
  try {
    const answer = await fetch(`${url}/api/bots/events`, { signal: ended.signal });
    let text = '';
    for await (const chunk of answer.body) {
      text += Buffer.from(chunk).toString('utf8');
      const data = /^data: ?(.*)\r?\n\r?\n/m.exec(text);
      if (data) return JSON.parse(data[1]);
    }
    throw new Error(`the stream ended: ${text}`);
  } finally {
    clearTimeout(timer);
    ended.abort();
  }
}

async function checkPage(url) {
  const page = await get(url, '/');
  assert.match(page.headers.get('content-type'), /^text\/html/);
  const html = await page.text();
  assert.match(html, /<body/);
  const own = [...html.matchAll(/(?:src|href)="([^":#]+)"/g)].map(([, path]) => new URL(path, `${url}/`).pathname);
  assert.ok(own.length > 0, 'the page has a script of its own');
  for (const path of own) await (await get(url, path)).arrayBuffer();
}

/** Every way in which the backend shows where its agents come from says the same. */
export async function showsEverywhere(url, source) {
  const health = await (await get(url, '/api/v1/bots/health')).json();
  assert.equal(health.source, source, JSON.stringify(health));
  assert.equal(health.status, source === 'live' ? 'healthy' : 'degraded');
  assert.equal(health.relay.address, 'relay:9500');
  if (source === 'live') {
    assert.equal(health.state, 'live');
    assert.equal(health.relay.reach, 'up');
    assert.equal(health.server.reach, 'up');
  } else {
    assert.ok(health.lastError.code, JSON.stringify(health));
    assert.match(health.lastError.message, /relay/);
    assert.ok(health.lastError.suggestion, JSON.stringify(health));
  }

  const list = await (await get(url, '/api/bots/agents')).json();
  assert.equal(list.source, source);
  assert.ok(list.agents.length >= 5, `${list.agents.length} agents`);
  // The relay of this network serves mock agents: live ones are made up too, and say so.
  assert.equal(list.agentsAreMock, true);
  assert.equal((await (await get(url, '/api/bots/data')).json()).source, source);
  assert.equal((await firstEvent(url)).source, source);
  await checkPage(url);
}

/**
 * That it was live in time after the relay was back (both in ms since the epoch): what was left of the back-off step that ran
 * then, or, where an attempt was under way (it may have begun too early to succeed), one whole step. Returns what was seen.
 */
export function checkReturn(watch, times, backAt, liveAt) {
  const pending = watch.before(backAt);
  const seen = JSON.stringify(pending.health);
  const wait = pending.health.nextAttemptInMs;
  assert.ok(wait === null || wait <= times.capMs, `a wait above the longest step: ${seen}`);
  const left = wait === null ? 0 : pending.at + wait - backAt;
  const begun = left <= 0;
  const longest = (begun ? times.capMs : left) + CONNECT_MS;
  const took = liveAt - backAt;
  assert.ok(took <= longest, `live ${took} ms after the relay was back, at most ${longest} expected: ${seen}`);
  return `-> live ${took} ms (an attempt was ${begun ? 'under way' : `due in ${left} ms`})`;
}

/**
 * Takes the relay down and brings it back. `times`: lib/times.mjs. `down` may return when exactly it was down, `up` when it
 * was back (ms since the epoch); `stay`: the source to wait for before it comes back (mock). Returns the times in words.
 */
export async function outage(watch, times, { down, up, stay = 'mock' }) {
  const { url } = watch;
  await watch.source('live', Date.now());
  const startedAt = Date.now();
  const downAt = (await down()) ?? startedAt;
  const stale = await watch.source('stale', startedAt, scaled(times.noticeMs));
  await showsEverywhere(url, 'stale');
  let mock;
  if (stay === 'mock') {
    mock = await watch.source('mock', stale.at, scaled(times.staleMaxMs + times.noticeMs));
    await showsEverywhere(url, 'mock');
  }

  const upAt = Date.now();
  const backAt = (await up()) ?? Date.now();
  const live = await watch.source('live', upAt, scaled(times.capMs) + CONNECT_MS + scaled(10_000));
  await showsEverywhere(url, 'live');

  const mocked = mock ? `, -> mock ${mock.at - downAt} ms` : '';
  return `down -> stale ${stale.at - downAt} ms${mocked}; back ${checkReturn(watch, times, backAt, live.at)}`;
}
