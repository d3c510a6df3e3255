// The size at which live video keeps its pace.

import { LAST_STEP, labelSize, longestSide, stepOf } from './sizes.js';

const FRAME = 1000 / 10; // ms: ten frames a second
const MARGIN = 0.85; // of it, for what is not measured
const SHARE = 0.25; // of what its size does not change: the least that labels may take where the machine is slow
const MEMORY = 0.8; // weight of what was measured before
const LARGEST_LIVE = 512;

/** Chooses sizes by what the frames before took. */
export class Pace {
  constructor() {
    this.fixed = 0; // ms of a frame that its size does not change
    this.perPixel = 0; // ms
    this.frames = 0;
  }

  /** @param {number} fixed ms @param {number} decoding ms @param {number} pixels of the label map */
  measured(fixed, decoding, pixels) {
    const memory = this.frames++ ? MEMORY : 0;
    this.fixed = memory * this.fixed + (1 - memory) * fixed;
    this.perPixel = memory * this.perPixel + (1 - memory) * (decoding / pixels);
  }

  /** The largest step of the slider that is quick enough, or that slows a slow machine down little. @param {number} width @param {number} height */
  step(width, height) {
    if (!this.frames) return stepOf(64);
    const budget = Math.max(FRAME * MARGIN, this.fixed * (1 + SHARE));
    for (let step = Math.min(stepOf(LARGEST_LIVE), LAST_STEP); step > 0; step--) {
      const { rows, columns } = labelSize(width, height, longestSide(step));
      if (this.fixed + this.perPixel * rows * columns <= budget) return step;
    }
    return 0;
  }
}
