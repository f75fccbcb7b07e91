// Listens to the shop, and shows what it hears.
import { Plot, duration, element, rate } from './plots.js';
import { Ring } from './ring.js';

const KEPT = 124;
const find = selector => document.querySelector(selector);
const ticks = [];
let cursor = null;
let story = null;

const plots = [
  new Plot({
    title: 'Requests', unit: 'per second', floor: 10, labelled: true,
    series: [
      { name: 'answered', color: 'requests', kind: 'filled', value: row => row.requests },
      { name: 'failed', color: 'failed', kind: 'line', value: row => row.failed },
      // The driver does not let more than 2,000 wait at the same time.
      { name: 'not sent', color: 'ghost', style: 'ghost', kind: 'line', value: row => row.skipped },
    ],
  }),
  new Plot({
    title: 'Database queries', unit: 'per second', floor: 10,
    series: [
      { name: 'without the lock', color: 'ghost', style: 'ghost', kind: 'line', value: row => row.without },
      { name: 'made', color: 'created', kind: 'bars', value: row => row.queries },
      { name: 'failed', color: 'failed', kind: 'bars', value: row => row.failures },
    ],
  }),
  new Plot({
    title: 'Who found no fresh value', unit: 'cache reads per second', floor: 10,
    series: [
      { name: 'created', color: 'created', kind: 'stack', value: row => row.created },
      { name: 'served stale', color: 'stale', kind: 'stack', value: row => row.stale },
      { name: 'waited', color: 'waited', kind: 'stack', value: row => row.waited },
    ],
  }),
  new Plot({
    title: 'Time to answer', unit: 'on a logarithmic scale', log: true, floor: 100,
    format: millis => duration(millis).join(' '),
    series: [
      { name: 'p50', color: 'time', style: 'thin', kind: 'line', value: row => row.p50 },
      { name: 'p99', color: 'time', kind: 'line', value: row => row.p99 },
    ],
  }),
];
const ring = new Ring(find('#ring'), find('#nodes'), (name, what) => post(`/dashboard/nodes/${name}/${what}`));

// What happened in the second that ended with this tick.
function row(at) {
  const now = ticks[at], before = ticks[at - 2];
  const seconds = (now.at - before.at) / 1000;
  const per = value => Math.max(0, value(now) - value(before)) / seconds;
  return {
    at: now.at, notes: now.notes, p50: now.p50, p99: now.p99,
    requests: per(tick => tick.requests.done - tick.requests.failed),
    failed: per(tick => tick.requests.failed),
    skipped: per(tick => tick.skipped),
    queries: per(tick => tick.queries - tick.failures),
    failures: per(tick => tick.failures),
    created: per(tick => tick.callers.created),
    stale: per(tick => tick.callers.stale),
    waited: per(tick => tick.callers.waited),
    without: per(tick => tick.products.created + tick.products.stale + tick.products.waited + tick.failures),
  };
}

function draw() {
  if (ticks.length < 3) return;
  const now = ticks.at(-1).at;
  const rows = ticks.map((_, at) => at).slice(2).map(row);
  plots.forEach(plot => plot.draw(rows, now, cursor));
  tiles(rows.at(-1));
}

function tiles(row) {
  const put = (name, text) => { find(`#tile-${name}`).textContent = text; };
  put('requests', rate(row.requests + row.failed));
  put('queries', rate(row.queries + row.failures));
  put('stale', rate(row.stale));
  put('waited', rate(row.waited));
  for (const name of ['p50', 'p99']) {
    const [number, unit] = duration(row[name]);
    put(name, number);
    find(`#unit-${name}`).textContent = unit;
  }
}

function heard(tick) {
  ticks.push(tick);
  if (ticks.length > KEPT) ticks.shift();
  ring.draw(tick);
  switches(tick);
  follow(tick);
}

function switches({ slow, broken, load }) {
  press(find('#slow'), slow, slow ? 'The database is slow' : 'Slow the database');
  press(find('#break'), broken, broken ? 'The database is broken' : 'Break the database');
  for (const button of document.querySelectorAll('[data-load]')) press(button, Number(button.dataset.load) === load);
}

function press(button, pressed, text) {
  button.setAttribute('aria-pressed', pressed);
  if (text) button.textContent = text;
}

// Tells what came of what was done by hand, until nothing more comes of it.
function follow(tick) {
  const before = ticks.at(-2);
  const note = tick.notes.filter(text => !text.startsWith('load')).at(-1);
  if (note && before) story = { what: note, since: before, teller: teller(note), done: false };
  if (!story || story.done) return;
  const { parts, over } = story.teller(tick, before);
  story.done = over;
  find('#story').replaceChildren(strong('', story.what), ...parts);
}

function teller(note) {
  if (note.includes('teapots')) return callers('wanted', ': of those who asked for this list, ', 'created the next one');
  if (note.startsWith('everything')) return callers('callers', ': of all who asked the cache, ', 'created a value');
  if (/killed|revived/.test(note)) return moved;
  return database;
}

const callers = (whose, opening, creating) => (tick, before) => {
  const passed = name => tick[whose][name] - story.since[whose][name];
  const quiet = ['created', 'stale', 'waited'].every(name => tick[whose][name] === before[whose][name]);
  return {
    parts: [
      opening, strong('created', passed('created')), ` ${creating}, `, strong('stale', passed('stale')),
      ' were served the previous one at once, and ', strong('waited', passed('waited')), ' waited.',
    ],
    over: quiet && passed('created') > 0,
  };
};

// A node takes nothing along but its own keys.
function moved(tick) {
  const was = story.since.owners;
  const keys = [...was].map((_, at) => at).filter(at => was[at] !== tick.owners[at]);
  const again = keys.filter(at => tick.states[at] === 'f').length;
  const rest = was.length - keys.length;
  return {
    parts: [`: its ${keys.length} keys belong to other nodes now, which have created `, strong('created', again),
      ` of them anew. The other ${rest} keys stayed where they were.`],
    over: again === keys.length,
  };
}

function database(tick) {
  const passed = value => value(tick) - value(story.since);
  return {
    parts: [
      ': since then ', strong('failed', passed(tick => tick.failures)), ' queries failed, and ',
      strong('failed', passed(tick => tick.requests.failed)), ' of ',
      strong('', passed(tick => tick.requests.done)), ' requests. ',
      strong('stale', passed(tick => tick.callers.stale)), ' stale values were served meanwhile.',
    ],
    over: false,
  };
}

function strong(color, text) {
  return element('b', color, typeof text === 'number' ? text.toLocaleString('en-GB') : text);
}

async function post(path) {
  try {
    const answer = await fetch(path, { method: 'POST' });
    if (!answer.ok) find('#story').textContent = await answer.text();
  } catch {
    find('#lost').hidden = false;
  }
}

const toggle = (button, off, on) =>
  button.addEventListener('click', () => post(`/dashboard/database/${button.ariaPressed === 'true' ? off : on}`));
toggle(find('#slow'), 'quick', 'slow');
toggle(find('#break'), 'mended', 'broken');
for (const button of document.querySelectorAll('[data-post]')) {
  button.addEventListener('click', () => post(button.dataset.post));
}
for (const button of document.querySelectorAll('[data-load]')) {
  button.addEventListener('click', () => post(`/dashboard/load/${button.dataset.load}`));
}
for (const plot of plots) {
  find('#plots').append(plot.figure);
  plot.svg.addEventListener('pointermove', event => {
    cursor = ticks.length ? plot.moment(event, ticks.at(-1).at) : null;
    draw();
  });
  plot.svg.addEventListener('pointerleave', () => { cursor = null; draw(); });
}
new ResizeObserver(draw).observe(find('#plots'));

const events = new EventSource('/dashboard/events');
events.addEventListener('open', () => { find('#lost').hidden = true; });
events.addEventListener('error', () => { find('#lost').hidden = false; });
events.addEventListener('begin', event => {
  const first = JSON.parse(event.data);
  ticks.length = 0;
  story = null;
  ring.begin(first);
  first.ticks.forEach(heard);
  draw();
});
events.addEventListener('tick', event => {
  heard(JSON.parse(event.data));
  draw();
});
