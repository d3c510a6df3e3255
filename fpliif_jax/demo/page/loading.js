// What the page says while networks are loaded, and what it knows of them afterwards.

import { find } from './dom.js';
import { say } from './messages.js';
import { stepOf } from './sizes.js';

const PATIENCE = 500; // ms, for the first label map

/** @param {number} loaded @param {number} total bytes */
export function onProgress(loaded, total) {
  find('progress').value = loaded / total;
  const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1);
  const text = loaded < total ? `Loading the network: ${mib(loaded)} of ${mib(total)} MiB` : 'Starting the network…';
  find('loading-text').textContent = text;
  if (find('welcome').hidden) say(text);
}

/** The size that a photo is labelled in first: no wait is long. @param {number} perPixel ms */
export function firstStep(perPixel) {
  const sides = [512, 256, 128];
  return stepOf(sides.find((side) => side ** 2 * perPixel <= PATIENCE) ?? 64);
}
