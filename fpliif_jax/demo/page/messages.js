// What the page says to the person.

import { find } from './dom.js';
import { Stopped } from './engine.js';
import { PhotoError } from './photo.js';

/** @param {string} text */
export const say = (text) => (find('status').textContent = text);

/** @param {unknown} error */
export function complain(error) {
  if (error instanceof Stopped) return;
  say('');
  const isKnown = error instanceof PhotoError;
  find('alert-text').textContent = isKnown ? error.message : `Something went wrong: ${/** @type {Error} */ (error).message ?? error}`;
  find('alert').hidden = false;
  if (!isKnown) console.error(error);
}

export const forgive = () => (find('alert').hidden = true);
