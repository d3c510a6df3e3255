// What the page shows while the camera is on.

import { find } from './dom.js';
import { sizeText } from './sizes.js';

/** @param {boolean} isLive @param {import('./pane.js').Look} look */
export function setLive(isLive, look) {
  find('work').dataset.live = `${isLive}`; // the style sheet shows and hides buttons by it
  look.smoothing = isLive ? 'low' : 'high'; // a third of the time
  if (isLive) return;
  find('fps-row').hidden = true;
  find('encoder-size').textContent = 'once a photo';
}

/** @param {import('./camera.js').Frame} frame @param {number | undefined} perSecond @returns {string} the pace */
export function sayPace({ seen }, perSecond) {
  const pace = `${perSecond?.toFixed(1) ?? '–'} frames/s`;
  find('encoder-size').textContent = `at ${sizeText(seen.rows, seen.columns)}`;
  find('fps').textContent = pace;
  find('fps-row').hidden = false;
  return pace;
}
