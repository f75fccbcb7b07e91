// Renders the JSON of a product list in the browser.
'use strict';

const section = document.querySelector('#listing');

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.append(...(Array.isArray(text) ? text : [text]));
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

function card(product) {
  const button = element('button', 'Add', { 'aria-label': `Add the ${product.name} to the basket` });
  return element('li', [
    element('strong', product.name),
    element('span', `€ ${(product.price / 100).toFixed(2)}`, { class: 'price' }),
    element('form', button, { method: 'post', action: '/basket' }),
  ]);
}

async function show() {
  const answer = await fetch(section.dataset.from);
  const listing = await answer.json();
  if (!answer.ok) throw new Error(listing.error);
  section.replaceChildren(
    element('h1', listing.category),
    element('ul', listing.products.map(card), { class: 'grid', 'data-query': listing.query }),
    element('p', ['From query ', element('span', String(listing.query), { class: 'query' }), ' of the database.'],
      { class: 'dim' }),
  );
}

show().catch(error => section.replaceChildren(element('p', error.message, { class: 'error', role: 'alert' })));
