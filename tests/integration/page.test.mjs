// The page in a real browser: live, stale and mock are each told apart by word, colour and line, and nothing is said to its
// console. The screenshots are kept, for people to look at.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { assert, scaled, test } from './lib/harness.mjs';
import { addressOf, flags, killed, quick, realServer, relayOn, startBackend } from './lib/backend.mjs';

function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, 'chromium')).find((file) => fs.existsSync(file));
}

const executablePath = findBrowser();
const skip = executablePath ? false : 'no chromium in PATH, and CHROMIUM names none';
const screenshots = process.env.TMPDIR ?? os.tmpdir();

async function openBrowser(t) {
  const context = await chromium.launchPersistentContext(fs.mkdtempSync(path.join(t.dir, 'profile-')), {
    executablePath,
    headless: true,
    viewport: { width: 1000, height: 900 },
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
  t.atEnd(() => context.close());
  return context;
}

/** A page that remembers what its console said, and what it asked of whom. */
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

/** What a person can tell the sources apart by. */
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

test('live, stale, mock, live again in a browser', { skip, timeoutMs: 120_000 }, async (t) => {
  const first = await relayOn(t, 0, { exit: killed });
  const address = addressOf(first);
  const args = flags({ ...quick, 'stale-max-ms': 4000 });
  const backend = await startBackend(t, { relay: address, args });
  const page = await openPage(t, await openBrowser(t), backend.url);
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

test('the page says when the backend itself is gone, and recovers by itself', { skip, timeoutMs: 90_000 }, async (t) => {
  const relay = await t.relay({ servers: { agents: realServer } });
  const first = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openBrowser(t), first.url);
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

test('agents that do not change stay young; a backend that stands still is not called live', { skip, timeoutMs: 120_000 }, async (t) => {
  const relay = await t.relay({ servers: { agents: realServer } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const page = await openPage(t, await openBrowser(t), backend.url);
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

test('it fits a phone, light and dark, and shows hostile names as text', { skip, timeoutMs: 90_000 }, async (t) => {
  const evil = `<img src=x onerror=console.error('run')>`;
  const server = { ...realServer, args: ['-e', realServer.args[1].replace("name: 'Coder'", `name: ${JSON.stringify(evil)}`)] };
  const relay = await t.relay({ servers: { agents: server } });
  const backend = await startBackend(t, { relay: addressOf(relay), args: flags(quick) });
  const context = await openBrowser(t);
  for (const colorScheme of ['light', 'dark']) {
    const page = await openPage(t, context, backend.url, { colorScheme, viewport: { width: 360, height: 740 } });
    await shows(page, 'live');
    const { overflow, rows } = await signs(page);
    assert.equal(overflow, 0, 'nothing to scroll sideways');
    assert.equal(rows, 2);
    assert.ok((await page.textContent('#rows')).includes(evil));
    assert.equal(await page.locator('main img').count(), 0);
    assert.equal(await page.getAttribute('#sentence', 'aria-live'), 'polite');
    assert.match(await page.textContent('#graph-text'), /2 live agents: /);
    await page.screenshot({ path: path.join(screenshots, `agents-phone-${colorScheme}.png`), fullPage: true });
    assert.deepEqual(page.complaints, []);
    await page.close();
  }
});
