// Draws what GET /api/bots/events tells. Nothing is polled: each event replaces the picture; between events only the ages
// count on. The backend says something every five seconds at least: one that is silent for longer is taken for gone, and
// nothing of it is called live then. Text from agents goes in as text, never as markup, and without what would turn its order.
'use strict';

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const WORDS = { live: 'Live', stale: 'Stale', mock: 'Mock' };
const NODES_MAX = 200; // more than that is a list, not a picture
const ROWS_MAX = 500; // and more than that nobody reads
const SILENT_MS = 15000;
// A text without an end is shown up to here, and in a tooltip up to there.
const CELL_MAX = 200;
const NAME_MAX = 80;
const TOOLTIP_MAX = 1000;
const narrow = matchMedia('(max-width: 40rem)');

let shown; // the last agents event, and when it came
let health; // the last health, and when it came
let stream = 'connecting';
let heardAt = performance.now();
let triedAt;

const since = (event) => performance.now() - event.at;

function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h`;
}

// Words of servers: a line break becomes a blank; other control characters (C0, C1), separators and what steers the
// bidirectional algorithm become visible.
const clean = (text) =>
  String(text)
    .replace(/[\t\n\r]/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '\ufffd');

// Shortened by whole characters: half a surrogate pair is none.
function cut(text, max) {
  const characters = [...text];
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : text;
}

function setText(node, text) {
  const words = clean(text);
  if (node.textContent !== words) node.textContent = words; // aria-live speaks at each change
}

function fill(node, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, clean(value));
  if (text !== undefined) node.textContent = clean(text);
  return node;
}

const element = (name, attributes = {}, text) => fill(document.createElement(name), attributes, text);
const svgElement = (name, attributes = {}, text) => fill(document.createElementNS(SVG, name), attributes, text);

// ---- what is shown, in words

function sentence() {
  if (stream === 'down') return 'The backend does not answer. What is below is what it said last; this page goes on trying.';
  if (!shown) return 'Connecting to the backend.';
  const { source, agents } = shown.data;
  const relay = health ? ` at ${health.data.relay.address}` : '';
  const mocks = agents.filter((agent) => agent.mock).length;
  const why = health?.data.relay.reach === 'up' ? `the server behind the relay${relay} does not answer` : `the relay${relay} does not answer`;
  if (source === 'stale') return `The last live agents: at the moment ${why}.`;
  if (source === 'mock') return `Made-up agents, nothing of this is real: ${why}.`;
  if (mocks > 0) return `Live from the relay${relay}, whose server says that ${mocks} of ${agents.length} agents are mock agents.`;
  if (health?.data.agentsUnsupported) return `Live, but the server behind the relay${relay} has no way to list agents.`;
  return `Live from the relay${relay}.`;
}

function ageText() {
  if (!shown) return '';
  // Agents that have not changed are not sent again; that they were asked for is told by the health.
  const told = health.data.snapshotVersion === shown.data.version ? health : shown;
  const age = duration(told.data.ageMs + since(told));
  if (stream === 'down') return `as of ${duration(performance.now() - heardAt)} ago`;
  return { live: `updated ${age} ago`, stale: `${age} old`, mock: 'no live data' }[shown.data.source] ?? '';
}

function showState() {
  const source = shown ? shown.data.source : 'none';
  document.body.dataset.source = source;
  document.body.dataset.stream = stream;
  const word = stream === 'down' ? 'Backend unreachable' : (WORDS[source] ?? 'Connecting');
  setText($('word'), word);
  setText($('sentence'), sentence());
  setText($('stamp'), source === 'live' || source === 'none' ? '' : WORDS[source].toUpperCase());
  document.title = `${word} · Agents`;
}

function showAge() {
  setText($('age'), ageText());
  if (!health) return;
  const { attempts, nextAttemptInMs, relay } = health.data;
  const next = nextAttemptInMs === null ? 'trying now' : `next try in ${duration(Math.max(0, nextAttemptInMs - since(health)))}`;
  // With the relay reached, nobody tries to connect: what is missing is the server behind it.
  setText($('attempts'), relay.reach === 'up' ? '' : `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} to connect so far; ${next}.`);
}

// ---- trouble and facts

function showTrouble() {
  const error = health?.data.lastError;
  const trouble = health && health.data.state !== 'live' && error;
  $('trouble').hidden = !trouble;
  if (!trouble) return;
  setText($('error-code'), error.code);
  setText($('error-text'), error.message);
  setText($('suggestion'), error.suggestion ?? '');
}

// Under a millisecond two digits count, above it one decimal.
function milliseconds(ms) {
  if (ms === null) return 'not measured';
  if (ms === 0) return 'under 1 ms';
  return `${ms < 1 ? Number(ms.toPrecision(2)) : ms.toFixed(1)} ms`;
}

function showFacts() {
  if (!health) return;
  const { relay, server, healthProbe, state, since: from, links, losses, roundTripMs, lastError, version } = health.data;
  const facts = [
    ['Address', relay.peer && relay.peer !== relay.address ? `${relay.address} (${relay.peer})` : relay.address],
    ['Relay', relay.reach],
    ['Server behind it', server.reach],
    ['State', `${state} since ${new Date(from).toLocaleTimeString()}`],
    ['Links made, lost', `${links}, ${losses}`],
    ['Round trip', milliseconds(roundTripMs)],
  ];
  if (healthProbe.reach !== 'unknown') facts.push(['Health probe', healthProbe.status ? `${healthProbe.reach} (${healthProbe.status})` : healthProbe.reach]);
  if (lastError) facts.push(['Last error', `${lastError.code}, ${new Date(lastError.at).toLocaleTimeString()}`]);
  facts.push(['Backend', version]);
  $('facts').replaceChildren(...facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

// ---- the picture

const RADIUS = 30; // of an agent whose size is 1
const LABELLED = 0.5; // smaller ones have no label
const LABEL = 42; // above or below its circle, a label's two lines take so much, the gaps included
const LABEL_MIN = 40; // a narrower one tells nothing
const NAME_FONT = 14; // page.css has the same
const STATUS_FONT = 12;

const isCoordinator = (agent) => agent.type === 'coordinator' || agent.type === 'queen';

// Where the first of a ring stands. One or two stand beside the leader. Of more, nobody is on a level with it, where labels
// are; or, when one straight below would stand on the leader's own label, nobody there.
function firstTurn(count, blocked) {
  if (count < 3) return 0;
  const half = blocked ? count % 2 === 0 : count % 4 === 0;
  return (half ? Math.PI / count : 0) - Math.PI / 2;
}

// As many as leave each swarm the most room; labels want more of it sideways.
function columnsFor(count, width, height) {
  const room = (columns) => Math.min(width / columns / 1.4, height / Math.ceil(count / columns));
  let best = 1;
  for (let columns = 2; columns <= count; columns++) if (room(columns) > room(best)) best = columns;
  return best;
}

// Each swarm has an ellipse: its coordinator in the middle, the others around it in the order of their ids, their labels
// on the outside, with room for them. Several swarms stand side by side.
function layout(agents, width, height) {
  const swarms = new Map();
  for (const agent of agents) {
    const key = agent.swarmId ?? '';
    if (!swarms.has(key)) swarms.set(key, []);
    swarms.get(key).push(agent);
  }
  const columns = columnsFor(swarms.size, width, height);
  const cell = { x: width / columns, y: height / Math.max(1, Math.ceil(swarms.size / columns)) };
  const places = new Map();
  [...swarms.keys()].sort().forEach((key, index) => {
    const members = swarms.get(key).sort((a, b) => (a.id < b.id ? -1 : 1));
    const centre = { x: cell.x * ((index % columns) + 0.5), y: cell.y * (Math.floor(index / columns) + 0.5) };
    const leader = members.find(isCoordinator);
    const ring = members.filter((agent) => agent !== leader);
    const size = Math.max(0.3, Math.min(1, cell.x / 380, cell.y / 380, 12 / members.length));
    const radius = RADIUS * size;
    const labelled = size > LABELLED;
    const axis = {
      x: cell.x / 2 - Math.max(radius + 4, Math.min(cell.x * 0.2, 75)),
      y: cell.y / 2 - radius - (labelled ? LABEL : 4),
    };
    if (leader) places.set(leader.id, { ...centre, radius: radius * 1.2, labelled, above: false });
    const first = firstTurn(ring.length, axis.y - radius < radius * 1.2 + LABEL);
    ring.forEach((agent, i) => {
      const turn = first + (i / ring.length) * 2 * Math.PI;
      const x = centre.x + Math.cos(turn) * axis.x;
      const y = centre.y + Math.sin(turn) * axis.y;
      places.set(agent.id, { x, y, radius, labelled, above: y < centre.y - 10 });
    });
  });
  return places;
}

// From where to where a label reaches, up and down.
const band = ({ y, radius, above }) => (above ? [y - radius - LABEL, y - radius - 4] : [y + radius + 4, y + radius + LABEL]);

const meet = ([from, to], [otherFrom, otherTo]) => from < otherTo && otherFrom < to;

// How wide a label may be: up to the picture's edges, to the circles beside it, and half way to the labels beside it.
function labelWidth(place, places, width) {
  const mine = band(place);
  let half = Math.min(place.x, width - place.x) - 2;
  for (const other of places) {
    const apart = Math.abs(other.x - place.x);
    if (other === place) continue;
    if (meet(mine, [other.y - other.radius, other.y + other.radius])) half = Math.min(half, apart - other.radius - 4);
    if (other.labelled && meet(mine, band(other))) half = Math.min(half, apart / 2 - 3);
  }
  return 2 * half;
}

const ruler = document.createElement('canvas').getContext('2d');

// What of the text is as wide as that.
function fit(text, width, font) {
  const words = clean(text);
  let max = 24;
  ruler.font = `${font}px system-ui, sans-serif`;
  while (max > 1 && ruler.measureText(cut(words, max)).width > width) max--;
  return cut(words, max);
}

function initials(agent) {
  const words = (agent.name ?? agent.type ?? agent.id).match(/[\p{L}\p{N}]+/gu)?.map((word) => [...word]) ?? [['?']];
  return (words.length > 1 ? words[0][0] + words.at(-1)[0] : words[0].slice(0, 2).join('')).toUpperCase();
}

// What the words for a status mean is the backend's to say.
const statusClass = ({ statusKind }) => (['active', 'idle', 'error'].includes(statusKind) ? statusKind : 'other');

function drawLabel(agent, { radius, above }, width) {
  const status = [cut(agent.status ?? 'no status', 24), agent.mock ? 'mock' : ''].filter(Boolean).join(' · ');
  return [
    svgElement('text', { y: above ? -radius - 26 : radius + 19 }, fit(agent.name ?? agent.id, width, NAME_FONT)),
    svgElement('text', { y: above ? -radius - 10 : radius + 35, class: 'small' }, fit(status, width, STATUS_FONT)),
  ];
}

function drawNode(agent, place, places, width) {
  const node = svgElement('g', { class: `node ${statusClass(agent)}`, transform: `translate(${place.x} ${place.y})` });
  const { radius } = place;
  node.append(
    svgElement('title', {}, `${cut(agent.name ?? agent.id, NAME_MAX)}: ${cut(agent.type ?? 'no type told', NAME_MAX)}, ${cut(agent.status ?? 'no status told', NAME_MAX)}`),
    svgElement('circle', { r: radius }),
    svgElement('text', { class: 'glyph' }, initials(agent)),
  );
  const room = place.labelled ? labelWidth(place, places, width) : 0;
  if (room >= LABEL_MIN) node.append(...drawLabel(agent, place, room));
  return node;
}

function draw() {
  const agents = shown.data.agents.slice(0, NODES_MAX);
  const [width, height] = narrow.matches ? [400, 460] : [720, 450];
  const places = layout(agents, width, height);
  $('graph').setAttribute('viewBox', `0 0 ${width} ${height}`);
  $('stamp').setAttribute('x', width / 2);
  $('stamp').setAttribute('y', height / 2);
  $('stamp').setAttribute('font-size', width / 4.6);
  const edges = agents.flatMap((agent) =>
    agent.connections.map((to) => [places.get(agent.id), places.get(to)]).filter(([, to]) => to),
  );
  $('edges').replaceChildren(...edges.map(([a, b]) => svgElement('line', { x1: a.x, y1: a.y, x2: b.x, y2: b.y })));
  $('nodes').replaceChildren(...agents.map((agent) => drawNode(agent, places.get(agent.id), [...places.values()], width)));
  const left = shown.data.count - agents.length;
  const counted = `${shown.data.count} ${WORDS[shown.data.source].toLowerCase()} agents: `;
  setText($('graph-text'), counted + agents.map((a) => `${cut(a.name ?? a.id, NAME_MAX)}, ${cut(a.status ?? 'unknown', NAME_MAX)}`).join('; ') + (left > 0 ? `; and ${left} more` : ''));
}

// ---- the list

const percent = (share) => (share === null ? null : `${Math.round(share * 100)} %`);

function words(name, attributes, text, max) {
  const shown = cut(text, max);
  return element(name, shown === text ? attributes : { ...attributes, title: cut(text, TOOLTIP_MAX) }, shown);
}

function cell(label, value) {
  const told = value !== null && value !== '';
  const node = element('td', { 'data-label': label, ...(told ? {} : { class: 'unknown' }) });
  node.append(words('bdi', { class: 'clamp' }, told ? value : 'not told', CELL_MAX));
  return node;
}

function row(agent) {
  const name = element('th', { scope: 'row' });
  name.append(words('bdi', {}, agent.name ?? agent.id, NAME_MAX));
  if (agent.mock) name.append(element('span', { class: 'tag' }, 'mock'));
  if (agent.type) name.append(words('span', { class: 'type' }, agent.type, NAME_MAX));
  const tasks = [
    [agent.tasksActive, 'active'],
    [agent.tasksCompleted, 'done'],
    [agent.tasksFailed, 'failed'],
  ].filter(([count]) => count !== null);
  const line = element('tr');
  line.append(
    name,
    cell('Status', agent.status),
    cell('Health', agent.health === null ? null : `${Math.round(agent.health)}`),
    cell('Load', percent(agent.workload ?? agent.cpuUsage)),
    cell('Tasks', tasks.map(([count, word]) => `${count} ${word}`).join(', ')),
    cell('Doing', agent.activity),
  );
  return line;
}

function list() {
  const { agents } = shown.data;
  $('rows').replaceChildren(...agents.slice(0, ROWS_MAX).map(row));
  $('empty').hidden = agents.length > 0;
  $('more').hidden = agents.length <= ROWS_MAX;
  setText($('more'), `And ${agents.length - ROWS_MAX} more.`);
}

// ---- the stream

function takeHealth(data) {
  health = { data, at: performance.now() };
  showTrouble();
  showFacts();
}

function onAgents(event) {
  const data = JSON.parse(event.data);
  shown = { data, at: performance.now() };
  stream = 'up';
  takeHealth(data.health);
  draw();
  list();
  showState();
  showAge();
}

function onHealth(event) {
  takeHealth(JSON.parse(event.data));
  showState();
  showAge();
}

let events;

function connect() {
  events?.close();
  triedAt = performance.now();
  const mine = new EventSource('api/bots/events');
  events = mine;
  const heard = (take) => (event) => {
    heardAt = performance.now();
    take(event);
  };
  mine.addEventListener('agents', heard(onAgents));
  mine.addEventListener('health', heard(onHealth));
  mine.addEventListener('error', () => {
    showDown();
    if (mine.readyState !== EventSource.CLOSED) return; // it connects again by itself
    setTimeout(() => mine === events && connect(), 2000);
  });
}

function showDown() {
  stream = 'down';
  showState();
  showAge();
}

function tick() {
  if (performance.now() - Math.max(heardAt, triedAt) > SILENT_MS) {
    showDown();
    connect();
  }
  showAge();
}

connect();
narrow.addEventListener('change', () => shown && draw());
setInterval(tick, 1000);
