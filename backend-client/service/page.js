// Draws what GET /api/bots/events tells. Nothing is polled: each event replaces the picture; between events only the ages
// count on. The backend says something every five seconds at least: one that is silent for longer is taken for gone, and
// nothing of it is called live then. Text from agents goes in as text, never as markup.
'use strict';

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const WORDS = { live: 'Live', stale: 'Stale', mock: 'Mock' };
const NODES_MAX = 200; // more than that is a list, not a picture
const ROWS_MAX = 500; // and more than that nobody reads
const SILENT_MS = 15000;
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

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // aria-live speaks at each change
}

function element(name, attributes = {}, text) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function svgElement(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

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
  const { attempts, nextAttemptInMs, state } = health.data;
  const next = nextAttemptInMs === null ? 'trying now' : `next try in ${duration(Math.max(0, nextAttemptInMs - since(health)))}`;
  setText($('attempts'), state === 'live' ? '' : `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} to connect so far; ${next}.`);
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

function showFacts() {
  if (!health) return;
  const { relay, server, healthProbe, state, since: from, links, losses, roundTripMs, lastError, version } = health.data;
  const facts = [
    ['Address', relay.peer && relay.peer !== relay.address ? `${relay.address} (${relay.peer})` : relay.address],
    ['Relay', relay.reach],
    ['Server behind it', server.reach],
    ['State', `${state} since ${new Date(from).toLocaleTimeString()}`],
    ['Links made, lost', `${links}, ${losses}`],
    ['Round trip', roundTripMs === null ? 'not measured' : `${roundTripMs.toFixed(1)} ms`],
  ];
  if (healthProbe.reach !== 'unknown') facts.push(['Health probe', healthProbe.status ? `${healthProbe.reach} (${healthProbe.status})` : healthProbe.reach]);
  if (lastError) facts.push(['Last error', `${lastError.code}, ${new Date(lastError.at).toLocaleTimeString()}`]);
  facts.push(['Backend', version]);
  $('facts').replaceChildren(...facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

// ---- the picture

const isCoordinator = (agent) => agent.type === 'coordinator' || agent.type === 'queen';

// Each swarm has an ellipse: its coordinator in the middle, the others around it in the order of their ids, their labels
// on the outside. Several swarms stand side by side.
function layout(agents, width, height) {
  const swarms = new Map();
  for (const agent of agents) {
    const key = agent.swarmId ?? '';
    if (!swarms.has(key)) swarms.set(key, []);
    swarms.get(key).push(agent);
  }
  const columns = Math.ceil(Math.sqrt(swarms.size * (width / height)) - 0.5) || 1;
  const cell = { x: width / columns, y: height / Math.ceil(swarms.size / columns) };
  const places = new Map();
  [...swarms.keys()].sort().forEach((key, index) => {
    const members = swarms.get(key).sort((a, b) => (a.id < b.id ? -1 : 1));
    const centre = { x: cell.x * ((index % columns) + 0.5), y: cell.y * (Math.floor(index / columns) + 0.5) };
    const leader = members.find(isCoordinator);
    const ring = members.filter((agent) => agent !== leader);
    const size = Math.max(0.3, Math.min(1, cell.x / 380, cell.y / 380, 12 / members.length));
    const margin = { x: Math.min(cell.x * 0.2, 75), y: Math.min(cell.y * 0.2, 82) };
    if (leader) places.set(leader.id, { ...centre, size: size * 1.2 });
    // One or two stand beside the leader; of more, nobody on a level with it, where the labels are.
    const first = ring.length < 3 ? 0 : (ring.length % 4 === 0 ? Math.PI / ring.length : 0) - Math.PI / 2;
    ring.forEach((agent, i) => {
      const turn = first + (i / ring.length) * 2 * Math.PI;
      const x = centre.x + Math.cos(turn) * (cell.x / 2 - margin.x);
      const y = centre.y + Math.sin(turn) * (cell.y / 2 - margin.y);
      places.set(agent.id, { x, y, size, above: y < centre.y - 10 });
    });
  });
  return places;
}

const shorten = (text) => (text.length > 24 ? `${text.slice(0, 23)}…` : text);

function initials(agent) {
  const words = (agent.name ?? agent.type ?? agent.id).match(/[\p{L}\p{N}]+/gu) ?? ['?'];
  return (words.length > 1 ? words[0][0] + words.at(-1)[0] : words[0].slice(0, 2)).toUpperCase();
}

function statusClass(status) {
  if (['idle', 'initializing'].includes(status)) return 'idle';
  return ['error', 'failed', 'offline'].includes(status) ? 'error' : 'active';
}

function drawNode(agent, place) {
  const node = svgElement('g', { class: `node ${statusClass(agent.status)}`, transform: `translate(${place.x} ${place.y})` });
  const radius = 30 * place.size;
  node.append(
    svgElement('title', {}, `${agent.name ?? agent.id}: ${agent.type ?? 'no type told'}, ${agent.status ?? 'no status told'}`),
    svgElement('circle', { r: radius }),
    svgElement('text', { class: 'glyph' }, initials(agent)),
  );
  if (place.size > 0.5) {
    node.append(
      svgElement('text', { y: place.above ? -radius - 26 : radius + 19 }, shorten(agent.name ?? agent.id)),
      svgElement('text', { y: place.above ? -radius - 10 : radius + 35, class: 'small' }, [agent.status ?? 'no status', agent.mock ? 'mock' : ''].filter(Boolean).join(' · ')),
    );
  }
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
  $('nodes').replaceChildren(...agents.map((agent) => drawNode(agent, places.get(agent.id))));
  const left = shown.data.count - agents.length;
  const counted = `${shown.data.count} ${WORDS[shown.data.source].toLowerCase()} agents: `;
  setText($('graph-text'), counted + agents.map((a) => `${a.name ?? a.id}, ${a.status ?? 'unknown'}`).join('; ') + (left > 0 ? `; and ${left} more` : ''));
}

// ---- the list

const percent = (share) => (share === null ? null : `${Math.round(share * 100)} %`);

function cell(label, value) {
  return value === null || value === ''
    ? element('td', { 'data-label': label, class: 'unknown' }, 'not told')
    : element('td', { 'data-label': label }, value);
}

function row(agent) {
  const name = element('th', { scope: 'row' }, agent.name ?? agent.id);
  if (agent.mock) name.append(element('span', { class: 'tag' }, 'mock'));
  if (agent.type) name.append(element('span', { class: 'type' }, agent.type));
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
  const mine = new EventSource('/api/bots/events');
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
