// Output sizes: the steps of the slider, and the rows and columns of a photo at each.

/** @typedef {{rows: number, columns: number}} Size */

export const SMALLEST = 32;
export const LARGEST = 1024;
const STEPS_OF_AN_OCTAVE = 8;
export const LAST_STEP = Math.log2(LARGEST / SMALLEST) * STEPS_OF_AN_OCTAVE;

/** The longer side at a step of the slider: each is 9 % longer than the one before. @param {number} step */
export const longestSide = (step) => Math.round(SMALLEST * 2 ** (step / STEPS_OF_AN_OCTAVE));

/** The step whose size is nearest. @param {number} side */
export function stepOf(side) {
  const step = Math.round(Math.log2(side / SMALLEST) * STEPS_OF_AN_OCTAVE);
  return Math.min(Math.max(step, 0), LAST_STEP);
}

/**
 * Rows and columns of a label map in the proportions of a photo.
 * @param {number} width @param {number} height @param {number} longest
 * @returns {Size}
 */
export function labelSize(width, height, longest) {
  const scale = longest / Math.max(width, height);
  return {
    rows: Math.max(Math.round(height * scale), 1),
    columns: Math.max(Math.round(width * scale), 1),
  };
}

/**
 * Rows and columns of a photo on a canvas: where it is longer than that allows, reduced; never enlarged.
 * @param {number} width @param {number} height @param {number} longest side that it may have there
 * @returns {Size}
 */
export function canvasSize(width, height, longest) {
  const longer = Math.max(width, height);
  if (longer <= longest) return { rows: height, columns: width };
  const [rows, columns] = [height, width].map((side) => Math.max(Math.floor((2 * side * longest + longer) / (2 * longer)), 1));
  return { rows, columns };
}

/** Coordinates of the centres of rows or columns, in (-1, 1). @param {number} count */
export function centres(count) {
  return Float32Array.from({ length: count }, (_, i) => ((i + 0.5) / count) * 2 - 1);
}

/** As people write it. @param {number} rows @param {number} columns */
export const sizeText = (rows, columns) => (rows === columns ? `${rows}²` : `${columns} × ${rows}`);
