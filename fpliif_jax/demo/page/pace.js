// The sizes at which live video keeps its pace: that of the square that the network sees, and that of the label map.

import { LAST_STEP, labelSize, longestSide, stepOf } from './sizes.js';

const FRAME = 1000 / 10; // ms: ten frames a second
const MARGIN = 0.85; // of it, for what is not measured
const SHARE = 0.25; // of what its size does not change: the least that labels may take where the machine is slow
const ENOUGH = 64; // longer side of a label map: rather than a larger one, a larger square
const LARGEST_LIVE = 512;
const WINDOW = 5; // frames: two that a busy machine holds up change nothing
const COUNTED = 20; // frames that the frame rate is the mean of
const [LEAST_PATIENCE, MOST_PATIENCE] = [10, 320]; // frames

/** @typedef {{waiting: number, overhead: number, encoder: number, decoder: number}} Times ms of a frame */

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Chooses sizes by what the frames before took. */
export class Pace {
  /** @param {number[]} sides of the squares that there are networks for, the largest first */
  constructor(sides) {
    this.sides = sides;
    this.index = sides.length - 1;
    /** @type {{overhead: number, perArea: number, perPixel: number}[]} of the last frames */
    this.frames = [];
    /** @type {number[]} ms from frame to frame */
    this.intervals = [];
    this.patience = LEAST_PATIENCE; // frames for which a larger square has to seem quick enough to be tried
    this.calm = 0; // frames for which it has
    this.age = 0; // frames since a larger square was tried
  }

  /**
   * @param {Times} times `waiting` is for the camera, `overhead` all else that neither network takes
   * @param {number} side of the square @param {number} pixels of the label map
   */
  measured({ waiting, overhead, encoder, decoder }, side, pixels) {
    this.frames = [...this.frames, { overhead, perArea: encoder / side ** 2, perPixel: decoder / pixels }].slice(-WINDOW);
    this.intervals = [...this.intervals, waiting + overhead + encoder + decoder].slice(-COUNTED);
  }

  /** Frames a second, of the last ones; undefined before the first. @returns {number | undefined} */
  get perSecond() {
    if (!this.intervals.length) return undefined;
    return (1000 * this.intervals.length) / this.intervals.reduce((a, b) => a + b, 0);
  }

  /**
   * The largest square that leaves time for a label map that is large enough, or for the person's, else the smallest;
   * and the largest label map that is quick enough, or that slows a slow machine down little. A smaller square is
   * taken at once. A larger one is tried when it has seemed quick enough for a while, the longer the more often it
   * was not.
   * @param {number} width @param {number} height of the video @param {number} [asked] step of the slider that a person chose
   * @returns {{side: number, step: number}}
   */
  next(width, height, asked) {
    if (!this.frames.length) return { side: this.sides[this.index], step: asked ?? stepOf(ENOUGH) };
    const [overhead, perArea, perPixel] = /** @type {const} */ (['overhead', 'perArea', 'perPixel']).map((key) =>
      median(this.frames.map((frame) => frame[key])),
    );
    const fixed = (/** @type {number} */ side) => overhead + perArea * side ** 2;
    const decoding = (/** @type {number} */ step) => {
      const { rows, columns } = labelSize(width, height, longestSide(step));
      return perPixel * rows * columns;
    };
    const budget = FRAME * MARGIN;
    const enough = decoding(asked ?? stepOf(ENOUGH));
    this.#move(this.sides.findIndex((side) => fixed(side) + enough <= budget));
    const side = this.sides[this.index];
    if (asked !== undefined) return { side, step: asked };
    let step = Math.min(stepOf(LARGEST_LIVE), LAST_STEP);
    while (step > 0 && fixed(side) + decoding(step) > Math.max(budget, fixed(side) * (1 + SHARE))) step--;
    return { side, step };
  }

  /** @param {number} best index of the largest square that is quick enough; -1: none is */
  #move(best) {
    const wanted = best < 0 ? this.sides.length - 1 : best;
    this.age++;
    this.calm = wanted < this.index ? this.calm + 1 : 0;
    if (wanted > this.index) {
      const failed = this.age <= 2 * LEAST_PATIENCE;
      this.patience = failed ? Math.min(2 * this.patience, MOST_PATIENCE) : LEAST_PATIENCE;
      this.index = wanted;
    } else if (this.calm >= this.patience) {
      this.index--; // to the next one: what a still larger one takes is told best from there
      this.calm = this.age = 0;
    }
  }
}
