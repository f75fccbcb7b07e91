// The hash ring: arcs of the nodes outside, keys inside.
import { element, svg } from './plots.js';

const BAND = 152;
const PLACES = { products: [130, 5], page: [112, 3.4], fragment: [94, 2.6] };
const STATES = { f: 'is-fresh', s: 'is-stale', '-': 'is-missing' };

export class Ring {
  constructor(picture, list, change) {
    Object.assign(this, { picture, list, change });
  }

  begin({ nodes, arcs, keys }) {
    this.nodes = nodes;
    this.arcs = arcs.map(([turn, share, node]) => ({
      node, shape: svg('path', { d: arc(turn, share), class: `arc node-${node}` }),
    }));
    this.keys = keys.map(({ name, kind, turn }) => {
      const [radius, size] = PLACES[kind];
      const [x, y] = place(turn, radius);
      const shape = svg('circle', { cx: x, cy: y, r: size });
      shape.append(svg('title', {}, name));
      return { shape, created: 0 };
    });
    this.fresh = svg('text', { class: 'middle big', y: 2 });
    const words = svg('text', { class: 'middle small', y: 20 }, `of ${keys.length} keys are fresh`);
    const rows = nodes.map(({ name, kind }, number) => this.row(name, kind, number));
    this.rows = rows;
    this.list.replaceChildren(...rows.map(row => row.item));
    const shapes = [...this.arcs, ...this.keys].map(({ shape }) => shape);
    this.picture.replaceChildren(...shapes, this.fresh, words);
  }

  row(name, kind, number) {
    const item = element('li', `node-${number}`);
    const [keys, button] = [element('span'), element('button')];
    button.id = `node-${name}`;
    button.addEventListener('click', () => this.change(name, item.classList.contains('is-down') ? 'revive' : 'kill'));
    item.append(element('i'), element('b', '', name), element('span', '', kind), keys, button);
    return { item, keys, button, name };
  }

  // A tick of the shop.
  draw({ up, states, owners, created }) {
    created.forEach(key => { this.keys[key].created = 3; });
    const counts = this.nodes.map(() => 0);
    this.keys.forEach((key, at) => {
      const state = key.created-- > 0 && states[at] === 'f' ? 'is-created' : STATES[states[at]];
      key.shape.setAttribute('class', `dot node-${owners[at]} ${state}`);
      if (states[at] !== '-' && owners[at] !== '-') counts[owners[at]] += 1;
    });
    this.arcs.forEach(({ node, shape }) => shape.classList.toggle('is-down', !up[node]));
    this.rows.forEach(({ item, keys, button, name }, number) => {
      item.classList.toggle('is-down', !up[number]);
      keys.textContent = up[number] ? `${counts[number]} keys` : 'killed';
      button.textContent = up[number] ? 'Kill' : 'Revive';
      button.setAttribute('aria-label', `${button.textContent} ${name}`);
    });
    this.fresh.textContent = [...states].filter(state => state === 'f').length;
  }
}

// Clockwise from the top.
function place(turn, radius) {
  const angle = turn * 2 * Math.PI;
  return [Math.sin(angle) * radius, -Math.cos(angle) * radius].map(number => number.toFixed(2));
}

function arc(turn, share) {
  const [from, to] = [place(turn, BAND), place(turn + share, BAND)];
  return `M${from.join(' ')}A${BAND} ${BAND} 0 ${share > .5 ? 1 : 0} 1 ${to.join(' ')}`;
}
