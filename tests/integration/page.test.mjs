// The page in a real browser: live, stale and mock differ in word, colour and line, and the page writes nothing to its
// console. The screenshots are kept, for people to look at.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { assert, scaled, test } from './lib/harness.mjs';
import { addressOf, flags, killed, prefixProxy, quick, realServer, relayOn, serverOf, startBackend } from './lib/backend.mjs';

function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, 'chromium')).find((file) => fs.existsSync(file));
}

const executablePath = findBrowser();
const skip = executablePath ? false : 'no chromium in PATH, and CHROMIUM names none';
const screenshots = process.env.TMPDIR ?? os.tmpdir();

/** One browser for the whole file: starting it takes longer than most of what it shows. */
let browser;
const startBrowser = () =>
  chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
after(async () => (await browser)?.close());

/** What a test has for itself: cookies, cache and pages, gone at the test's end. */
async function openContext(t) {
  browser ??= startBrowser();
  const context = await (await browser).newContext({ viewport: { width: 1000, height: 900 } });
  t.atEnd(() => context.close());
  return context;
}

/** A page that records what its console shows (`complaints`) and its requests to other origins (`foreign`). */
async function openPage(t, context, url, options = {}) {
  const page = await context.newPage();
  page.complaints = [];
  page.foreign = [];
  page.on('console', (message) => page.complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('request', (request) => request.url().startsWith(url) || page.foreign.push(request.url()));
  if (options.viewport) await page.setViewportSize(options.viewport);
  if (options.colorScheme) await page.emulateMedia({ colorScheme: options.colorScheme, reducedMotion: 'reduce' });
  await page.goto(url);
  return page;
}

const shows = (page, source) =>
  page.waitForSelector(`body[data-source="${source}"][data-stream="up"]`, { timeout: scaled(20_000) });

/** What shows a person which source it is. */
const signs = (page) =>
  page.evaluate(() => {
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    return {
      word: document.querySelector('#word').textContent,
      stamp: document.querySelector('#stamp').textContent,
      sentence: document.querySelector('#sentence').textContent,
      age: document.querySelector('#age').textContent,
      colour: style('#edges line').stroke,
      line: style('#edges line').strokeDasharray,
      border: style('#badge').borderTopStyle,
      nodes: document.querySelectorAll('#nodes .node').length,
      rows: document.querySelectorAll('#rows tr').length,
      tags: document.querySelectorAll('#rows .tag').length,
      trouble: document.querySelector('#trouble').hidden ? '' : document.querySelector('#trouble').textContent,
      title: document.title,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
  });

test('live, stale, mock, live again in a browser', { skip, timeoutMs: 300_000 }, async (t) => {
  const first = await relayOn(t, 0, { exit: killed });
  const address = addressOf(first);
  const args = flags({ ...quick, 'stale-max-ms': 4000 });
  const backend = await startBackend(t, { relay: address, args });
  const page = await openPage(t, await openContext(t), backend.url);
  const shot = (name) => page.screenshot({ path: path.join(screenshots, `agents-${name}.png`) });

  await shows(page, 'live');
  const live = await signs(page);
  await shot('live');
  first.signal('SIGKILL');
  await shows(page, 'stale');
  const stale = await signs(page);
  await shot('stale');
  await shows(page, 'mock');
  await page.waitForFunction(() => document.querySelectorAll('#rows .tag').length === 5);
  const mock = await signs(page);
  await shot('mock');
  await first.exited;
  const second = await relayOn(t, first.address.port);
  await shows(page, 'live');
  const again = await signs(page);

  assert.deepEqual([live.word, stale.word, mock.word, again.word], ['Live', 'Stale', 'Mock', 'Live']);
  assert.deepEqual([live.stamp, stale.stamp, mock.stamp], ['', 'STALE', 'MOCK']);
  for (const sign of ['colour', 'line', 'border', 'sentence']) {
    assert.equal(new Set([live[sign], stale[sign], mock[sign]]).size, 3, `${sign}: ${live[sign]}, ${stale[sign]}, ${mock[sign]}`);
  }
  assert.deepEqual([live.nodes, stale.nodes, mock.nodes], [2, 2, 5]);
  assert.deepEqual([live.tags, stale.tags, mock.tags], [0, 0, 5], 'each mock agent says that it is one');
  assert.equal(live.trouble, '');
  assert.ok(mock.trouble.includes('ECONNREFUSED') && mock.trouble.includes(address), mock.trouble);
  assert.match(mock.trouble, /attempt/);
  for (const { sentence } of [live, stale, mock]) assert.ok(sentence.includes(address), sentence);
  assert.match(stale.age, /^\d+ s old$/);
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.foreign, [], 'everything comes from this origin');
  await second.stop();
});

test('the page says when the backend itself is gone, and recovers by itself', { skip, timeoutMs: 300_000 }, async (t) => {
  const relay = await t.relay({ servers: { agents: realServer } });
  const first = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openContext(t), first.url);
  await shows(page, 'live');
  await first.stop();
  await page.waitForSelector('body[data-stream="down"]', { timeout: scaled(20_000) });
  const { word, sentence } = await signs(page);
  assert.equal(word, 'Backend unreachable');
  assert.match(sentence, /does not answer/);
  await page.screenshot({ path: path.join(screenshots, 'agents-unreachable.png') });
  await startBackend(t, { relay: addressOf(relay), args: flags(quick), listen: new URL(first.url).host });
  await shows(page, 'live');
  // That the stream broke is the browser's to say; nothing else is.
  assert.deepEqual(page.complaints.filter((text) => !text.includes('net::ERR_')), []);
});

test('agents that do not change stay young; a backend that stands still is not called live', { skip, timeoutMs: 300_000 }, async (t) => {
  const relay = await t.relay({ servers: { agents: realServer } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openContext(t), backend.url);
  await shows(page, 'live');
  const age = (seconds) =>
    page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector('#age').textContent), `updated ${seconds} s ago`);
  await age('[3-9]');
  await age('[01]');
  backend.process.kill('SIGSTOP');
  await page.waitForSelector('body[data-stream="down"]', { timeout: scaled(40_000) });
  assert.equal((await signs(page)).word, 'Backend unreachable');
  backend.process.kill('SIGCONT');
  await shows(page, 'live');
  assert.deepEqual(page.complaints, []);
});

// ---- the picture

const swarm = (id, count) =>
  Array.from({ length: count }, (_, i) => ({
    id: `${id}-${i}`,
    name: i === 0 ? `Leader of ${id}` : `An agent with a name ${i}`,
    type: i === 0 ? 'coordinator' : 'coder',
    status: 'initializing',
    swarmId: id,
  }));

/** Each agent's circle and its label's box, in the picture's units. */
const drawn = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('#nodes .node')].map((node) => {
      const { e: x, f: y } = node.transform.baseVal.consolidate().matrix;
      const r = Number(node.querySelector('circle').getAttribute('r'));
      const boxes = [...node.querySelectorAll('text:not(.glyph)')].map((text) => {
        const { x: left, y: top, width, height } = text.getBBox();
        return { left: x + left, right: x + left + width, top: y + top, bottom: y + top + height, text: text.textContent };
      });
      return { x, y, r, boxes };
    }),
  );

const viewBox = (page) => page.evaluate(() => document.querySelector('#graph').getAttribute('viewBox').split(' ').map(Number));

function nothingIsHidden(nodes, [, , width, height], what) {
  for (const node of nodes) {
    assert.ok(node.x - node.r >= 0 && node.x + node.r <= width && node.y - node.r >= 0 && node.y + node.r <= height, `${what}: a circle`);
    for (const box of node.boxes) {
      assert.ok(box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height, `${what}: ${box.text} is cut off`);
      for (const other of nodes) {
        if (other === node) continue;
        const dx = Math.max(box.left - other.x, 0, other.x - box.right);
        const dy = Math.max(box.top - other.y, 0, other.y - box.bottom);
        assert.ok(Math.hypot(dx, dy) >= other.r, `${what}: ${box.text} is behind a circle`);
        for (const { left, right, top, bottom, text } of other.boxes) {
          const apart = box.right <= left || right <= box.left || box.bottom <= top || bottom <= box.top;
          assert.ok(apart, `${what}: ${box.text} and ${text} overlap`);
        }
      }
    }
  }
}

test('no label is cut off or behind another, however many swarms there are', { skip, timeoutMs: 300_000 }, async (t) => {
  const pictures = [[5], [7], [5, 1, 1], [6, 4, 7, 5], [5, 5, 5, 5, 5], [9, 1, 12], [23]];
  const context = await openContext(t);
  for (const sizes of pictures) {
    const agents = sizes.flatMap((count, i) => swarm(`swarm${i}`, count));
    const relay = await t.relay({ servers: { agents: serverOf(agents) } });
    const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
    for (const viewport of [{ width: 1000, height: 900 }, { width: 360, height: 740 }]) {
      const page = await openPage(t, context, backend.url, { viewport });
      await shows(page, 'live');
      const nodes = await drawn(page);
      assert.equal(nodes.length, agents.length);
      nothingIsHidden(nodes, await viewBox(page), `${sizes} at ${viewport.width}`);
      if (sizes.length <= 4 && Math.max(...sizes) <= 7 && viewport.width === 1000) {
        const leaders = sizes.map((_, i) => nodes[agents.findIndex(({ id }) => id === `swarm${i}-0`)]);
        assert.ok(leaders.every(({ boxes }) => boxes.length === 2), `${sizes}: each leader has its label`);
      }
      if (viewport.width === 1000) await page.screenshot({ path: path.join(screenshots, `agents-swarms-${sizes.join('-')}.png`) });
      await page.close();
    }
    await backend.stop();
    await relay.stop();
  }
});

test('behind a proxy under a prefix the page has all its parts', { skip, timeoutMs: 300_000 }, async (t) => {
  const relay = await relayOn(t, 0);
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  for (const prefix of ['/agents/', '/tools/of/ours/']) {
    const url = await prefixProxy(t, backend.address, prefix);
    const page = await openPage(t, await openContext(t), url);
    await shows(page, 'live');
    const { rows, border } = await signs(page);
    assert.deepEqual([rows, border], [2, 'solid'], 'the events and the style came');
    const links = await page.evaluate(() => {
      const [text] = [...document.querySelectorAll('noscript')].map((node) => node.textContent);
      const parsed = new DOMParser().parseFromString(text, 'text/html');
      return [...parsed.querySelectorAll('a'), ...document.querySelectorAll('link')].map((node) => node.getAttribute('href'));
    });
    assert.equal(links.length, 3);
    for (const link of links) assert.equal((await page.request.get(new URL(link, url).href)).status(), 200, link);
    assert.deepEqual([page.complaints, page.foreign], [[], []]);
    await page.close();
  }
});

test('hostile and endless words stay in their place', { skip, timeoutMs: 300_000 }, async (t) => {
  const long = 'word '.repeat(2000);
  const agents = [
    { id: 'a', name: `\u202egnp.exe\u2066\u0007\u009b`, type: 'coder', status: `\u202e${'s'.repeat(500)}`, activity: long },
    { id: 'b', name: '\u{1F600}'.repeat(40), type: 'x'.repeat(300), status: 'terminated', activity: 'y'.repeat(5000) },
    { id: 'c', name: '\u{1D400}\u{1D401}\u{1D402}', status: 'completed' },
    { id: 'd', status: 'busy' },
    { id: 'e', status: 'offline' },
    { id: 'f' },
    { id: 'g', status: 'idle' },
  ];
  const relay = await t.relay({ servers: { agents: serverOf(agents) } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openContext(t), backend.url);
  await shows(page, 'live');
  await page.screenshot({ path: path.join(screenshots, 'agents-hostile.png'), fullPage: true });
  const text = await page.evaluate(() => document.documentElement.outerHTML);
  assert.doesNotMatch(text, /[\u0000-\u0008\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
  assert.ok(text.isWellFormed?.() ?? !/[\ud800-\udbff](?![\udc00-\udfff])/.test(text), 'no half of a character');
  nothingIsHidden(await drawn(page), await viewBox(page), 'hostile');
  const seen = await page.evaluate(() => ({
    glyphs: [...document.querySelectorAll('#nodes .glyph')].map((node) => node.textContent),
    kinds: [...document.querySelectorAll('#nodes .node')].map((node) => node.classList[1]),
    columns: [...document.querySelectorAll('thead th')].map((th) => th.getBoundingClientRect().width),
    heights: [...document.querySelectorAll('#rows tr')].map((tr) => tr.getBoundingClientRect().height),
    name: document.querySelector('#rows bdi').textContent,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  assert.deepEqual(seen.kinds, ['other', 'other', 'other', 'active', 'error', 'other', 'idle']);
  assert.equal(seen.glyphs[2], '\u{1D400}\u{1D401}');
  assert.equal(seen.name, '\ufffdgnp.exe\ufffd\ufffd\ufffd');
  assert.ok(Math.min(...seen.columns) > 60, `no column is squeezed: ${seen.columns}`);
  assert.ok(Math.max(...seen.heights) < 250, `no row has the whole page: ${seen.heights}`);
  assert.equal(seen.overflow, 0);
  const shown = await page.evaluate(() => [null, 0, 0.04, 0.042, 0.5, 1, 12.34].map((ms) => milliseconds(ms)));
  assert.deepEqual(shown, ['not measured', 'under 1 ms', '0.04 ms', '0.042 ms', '0.5 ms', '1.0 ms', '12.3 ms']);
  assert.deepEqual(page.complaints, []);
});

test('a server that is silent behind a relay that answers: nobody counts attempts to connect', { skip, timeoutMs: 300_000 }, async (t) => {
  const broken = { command: process.execPath, args: ['-e', 'process.exit(3)'] };
  const relay = await t.relay({ servers: { agents: broken } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openContext(t), backend.url);
  await page.waitForFunction(() => !document.querySelector('#trouble').hidden && document.querySelector('#facts').textContent.includes('Server behind itdown'));
  const { trouble } = await signs(page);
  assert.doesNotMatch(trouble, /attempt|trying now/);
});

test('it fits a phone, light and dark, and shows hostile names as text', { skip, timeoutMs: 300_000 }, async (t) => {
  const evil = `<img src=x onerror=console.error('run')>`;
  const server = { ...realServer, args: ['-e', realServer.args[1].replace("name: 'Coder'", `name: ${JSON.stringify(evil)}`)] };
  const relay = await t.relay({ servers: { agents: server } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const context = await openContext(t);
  for (const colorScheme of ['light', 'dark']) {
    const page = await openPage(t, context, backend.url, { colorScheme, viewport: { width: 360, height: 740 } });
    await shows(page, 'live');
    const { overflow, rows } = await signs(page);
    assert.equal(overflow, 0, 'nothing to scroll sideways');
    assert.equal(rows, 2);
    assert.ok((await page.textContent('#rows')).includes(evil));
    const name = await page.evaluate(() => document.querySelector('#rows th').getBoundingClientRect().width);
    assert.ok(name > 250, `a name has the whole line: ${name}`);
    assert.equal(await page.locator('main img').count(), 0);
    assert.equal(await page.getAttribute('#sentence', 'aria-live'), 'polite');
    assert.match(await page.textContent('#graph-text'), /2 live agents: /);
    await page.screenshot({ path: path.join(screenshots, `agents-phone-${colorScheme}.png`), fullPage: true });
    assert.deepEqual(page.complaints, []);
    await page.close();
  }
});
