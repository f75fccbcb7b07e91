// Plots of the last minute, drawn as SVG.

const MINUTE = 60_000;
// The width of a letter of a note, about.
const LETTER = 5.8;
const MARGIN = { left: 50, right: 8, top: 8, bottom: 20 };

export function svg(name, attributes = {}, text) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// How many in a second; nothing for what is not known.
export function rate(value) {
  if (value === null) return '–';
  return value >= 5 ? Math.round(value).toLocaleString('en-GB') : String(Number(value.toFixed(1)));
}

// Milliseconds as a number of two or three digits, and the unit that fits it.
export function duration(millis) {
  if (millis === null) return ['–', 'ms'];
  const [number, unit] = millis >= 1000 ? [millis / 1000, 's'] : millis >= 1 ? [millis, 'ms'] : [millis * 1000, 'µs'];
  return [String(Number(number.toPrecision(number >= 100 ? 3 : 2))), unit];
}

export class Plot {
  // Series are drawn in their order; those of kind 'stack' on each other.
  constructor({ title, unit, series, log = false, floor = 1, labelled = false, format = rate }) {
    Object.assign(this, { series, log, floor, labelled, format });
    this.figure = element('figure');
    const caption = element('figcaption');
    caption.append(element('h2', '', title), element('span', 'unit', unit));
    const entries = element('span', 'entries');
    this.values = series.map(({ name, color }) => {
      const [entry, value] = [element('span', color, `${name} `), element('b')];
      entry.append(value);
      entries.append(entry);
      return value;
    });
    caption.append(entries);
    this.svg = svg('svg', { role: 'img', 'aria-label': `${title}, ${unit}, over the last minute` });
    this.figure.append(caption, this.svg);
  }

  // `rows` have a moment `at`, the value of each series, and notes. The cursor is a moment or null.
  draw(rows, now, cursor) {
    const box = { width: this.svg.clientWidth, height: this.svg.clientHeight };
    if (!box.width) return;
    const right = box.width - MARGIN.right, bottom = box.height - MARGIN.bottom;
    const x = at => right - (now - at) / MINUTE * (right - MARGIN.left);
    const seen = rows.filter(row => row.at > now - MINUTE);
    const columns = this.series.map(({ value }) => seen.map(value));
    const scale = this.scale(columns, bottom);
    const parts = this.axes(scale, x, now, right, bottom);
    this.paint(parts, seen, columns, x, scale.y, bottom);
    parts.push(...this.notes(seen, x, right, bottom));
    this.tell(parts, seen, columns, x, cursor, bottom);
    this.svg.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    this.svg.replaceChildren(...parts);
  }

  scale(columns, bottom) {
    const stacked = this.series.map(({ kind }) => kind === 'stack');
    const sums = columns[0].map((_, at) => columns.reduce((sum, column, k) => sum + (stacked[k] ? column[at] ?? 0 : 0), 0));
    const all = [...columns.flat().filter(value => value !== null), ...sums];
    const height = bottom - MARGIN.top;
    if (this.log) {
      const [low, high] = [Math.min(1, ...all.filter(value => value > 0)), Math.max(this.floor, ...all)];
      const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
      const ticks = Array.from({ length: to - from + 1 }, (_, step) => 10 ** (from + step));
      return { ticks, y: value => bottom - (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from) * height };
    }
    const step = nice(Math.max(this.floor, ...all) / 3.2);
    const top = Math.ceil(Math.max(this.floor, ...all) / step - 1e-9) * step;
    const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, at) => at * step);
    return { ticks, y: value => bottom - value / top * height };
  }

  axes({ ticks, y }, x, now, right, bottom) {
    const lines = ticks.flatMap((tick, at) => [
      svg('line', { x1: MARGIN.left, x2: right, y1: y(tick), y2: y(tick), class: at ? 'axis' : 'axis base' }),
      svg('text', { x: MARGIN.left - 7, y: y(tick) + 4, 'text-anchor': 'end', class: 'label' }, this.format(tick)),
    ]);
    const times = [60, 45, 30, 15, 0].map(ago => svg('text', {
      x: x(now - ago * 1000), y: bottom + 15, class: 'label',
      'text-anchor': ago === 60 ? 'start' : ago ? 'middle' : 'end',
    }, ago === 60 ? '60 s ago' : ago ? `${ago} s` : 'now'));
    return [...lines, ...times];
  }

  // A line for what was done by hand, with its name in the lowest row that has room for it.
  notes(rows, x, right, bottom) {
    const ends = [];
    return rows.filter(row => row.notes.length).flatMap(row => {
      const at = x(row.at);
      const line = svg('line', { x1: at, x2: at, y1: MARGIN.top - 4, y2: bottom, class: 'note' });
      if (!this.labelled) return [line];
      const text = row.notes.join(', ').replaceAll('database ', '');
      const width = text.length * LETTER;
      const begin = at + 4 + width < right ? at + 4 : at - 4 - width;
      const free = ends.findIndex(end => end + LETTER < begin);
      const level = free < 0 ? ends.length : free;
      ends[level] = begin + width;
      return [line, svg('text', { x: begin, y: bottom - 7 - level * 14, class: 'note-text' }, text)];
    });
  }

  paint(parts, rows, columns, x, y, bottom) {
    let below = rows.map(() => 0);
    const width = rows.length > 1 ? Math.max(1, x(rows[1].at) - x(rows[0].at) - 1) : 1;
    this.series.forEach(({ kind, color, style = '' }, k) => {
      const values = columns[k];
      if (!values.some(value => value > 0)) return;
      if (kind === 'bars') {
        rows.forEach((row, at) => {
          if (!values[at]) return;
          const top = Math.min(y(values[at]), bottom - 2);
          parts.push(svg('rect', { x: x(row.at) - width, y: top, width, height: bottom - top, class: `bar ${color}` }));
        });
        return;
      }
      if (kind === 'stack') {
        const above = below.map((base, at) => base + (values[at] ?? 0));
        const up = rows.map((row, at) => `${x(row.at).toFixed(1)} ${y(above[at]).toFixed(1)}`);
        const down = rows.map((row, at) => `${x(row.at).toFixed(1)} ${y(below[at]).toFixed(1)}`).reverse();
        parts.push(svg('path', { d: `M${up.join('L')}L${down.join('L')}Z`, class: `area ${color}` }));
        below = above;
        return;
      }
      const points = rows.map((row, at) => values[at] === null ? null : `${x(row.at).toFixed(1)} ${y(values[at]).toFixed(1)}`);
      const known = points.map((point, at) => point && `${at && points[at - 1] ? 'L' : 'M'}${point}`).filter(Boolean);
      if (kind === 'filled') {
        const [first, last] = [x(rows[0].at), x(rows.at(-1).at)];
        const base = known.join('').replaceAll('M', 'L').slice(1);
        parts.push(svg('path', { d: `M${first} ${bottom}L${base}L${last} ${bottom}Z`, class: `area soft ${color}` }));
      }
      parts.push(svg('path', { d: known.join(''), class: `line ${style} ${color}` }));
    });
  }

  // The values at the cursor, or the latest.
  tell(parts, rows, columns, x, cursor, bottom) {
    let at = rows.length - 1;
    if (cursor !== null && rows.length) {
      at = rows.reduce((best, row, k) => Math.abs(row.at - cursor) < Math.abs(rows[best].at - cursor) ? k : best, 0);
      parts.push(svg('line', { x1: x(rows[at].at), x2: x(rows[at].at), y1: MARGIN.top, y2: bottom, class: 'cursor' }));
    }
    this.values.forEach((value, k) => { value.textContent = this.format(columns[k][at] ?? null); });
  }

  // The moment under a pointer.
  moment(event, now) {
    const box = this.svg.getBoundingClientRect();
    const part = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    return part < 0 || part > 1 ? null : now - (1 - part) * MINUTE;
  }
}

// The next of 1, 2, 5, 10, 20, 50...
function nice(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map(digit => digit * power).find(candidate => candidate >= step - 1e-9);
}
