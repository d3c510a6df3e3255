// Label maps: which class each pixel is, how much of each there is, and where they border.

/**
 * The class of the largest logit of each pixel, the lower id where two are equal.
 * @param {Float32Array} logits [pixels, classes] @param {number} classes @param {Uint8Array} labels [pixels], filled
 */
export function argmax(logits, classes, labels) {
  for (let pixel = 0, start = 0; pixel < labels.length; pixel++, start += classes) {
    let best = 0;
    for (let i = 1; i < classes; i++) if (logits[start + i] > logits[start + best]) best = i;
    labels[pixel] = best;
  }
}

/** @param {Float32Array} logits of one pixel @param {number} scale factor of the training loss's temperature */
export function softmax(logits, scale) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp((logit - largest) * scale));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** How much of a label map each class is. @param {Uint8Array} labels @param {number} classes @returns {number[]} */
export function shares(labels, classes) {
  const counts = new Array(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts.map((count) => count / labels.length);
}

/** @param {string} colour `#rrggbb` @returns {number[]} red, green, blue */
export const channels = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

/**
 * A label map as pixels, those of hidden classes transparent.
 * @param {Uint8Array} labels @param {string[]} colours by class @param {Set<number>} hidden
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA
 */
export function paint(labels, colours, hidden) {
  const palette = new Uint32Array(256);
  const bytes = new Uint8ClampedArray(palette.buffer);
  colours.forEach((colour, i) => {
    if (!hidden.has(i)) bytes.set([...channels(colour), 255], 4 * i);
  });
  const pixels = new Uint32Array(labels.length);
  for (let i = 0; i < labels.length; i++) pixels[i] = palette[labels[i]];
  return new Uint8ClampedArray(pixels.buffer);
}

/**
 * The lines between pixels of different classes of which one is shown, joined to runs.
 * @param {Uint8Array} labels @param {number} rows @param {number} columns @param {Set<number>} hidden
 * @returns {number[]} x0, y0, x1, y1, … in pixels
 */
export function borders(labels, rows, columns, hidden) {
  const isHidden = Uint8Array.from({ length: 256 }, (_, i) => Number(hidden.has(i)));
  const lines = [];
  const differ = (/** @type {number} */ a, /** @type {number} */ b) => labels[a] !== labels[b] && !(isHidden[labels[a]] && isHidden[labels[b]]);
  for (let row = 1; row < rows; row++) {
    for (let column = 0, start = -1; column <= columns; column++) {
      const here = row * columns + column;
      const isBorder = column < columns && differ(here, here - columns);
      if (isBorder && start < 0) start = column;
      if (!isBorder && start >= 0) {
        lines.push(start, row, column, row);
        start = -1;
      }
    }
  }
  for (let column = 1; column < columns; column++) {
    for (let row = 0, start = -1; row <= rows; row++) {
      const here = row * columns + column;
      const isBorder = row < rows && differ(here, here - 1);
      if (isBorder && start < 0) start = row;
      if (!isBorder && start >= 0) {
        lines.push(column, start, column, row);
        start = -1;
      }
    }
  }
  return lines;
}
