// Elements of the page: finding them, and making them.

/** @param {string} id */
export const find = (id) => /** @type {any} */ (document.getElementById(id));

/** @param {string} name @param {Record<string, string>} attributes @param {(Node | string)[]} children */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Leaves of the page what the model can do; what needs an ability names it in `data-if`. @param {string[]} abilities */
export function showAbilities(abilities) {
  document.querySelectorAll('[data-if]').forEach((one) => one.toggleAttribute('hidden', !abilities.includes(one.getAttribute('data-if') ?? '')));
  document.title = document.querySelector('h1')?.innerText ?? '';
}
