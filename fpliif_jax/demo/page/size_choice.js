// How large label maps are: as a slider says, where the network answers at any size, or as the photo is on its canvas.

import { element } from './dom.js';
import { LAST_STEP, canvasSize, labelSize, longestSide, sizeText } from './sizes.js';

/** @typedef {import('./sizes.js').Size} Size */
/** @typedef {Size & {seen: Size}} FrameSize of the label map of a frame, and of the picture that the network sees */

/** @param {any} model what model.json says @param {number} step of the slider */
export const sizeChoice = (model, step) => (model.can.includes('sizes') ? new SizeSlider(step) : new CanvasSize(model));

class SizeSlider {
  /** @param {number} step */
  constructor(step) {
    const about = 'Rows and columns of the label map';
    this.slider = /** @type {HTMLInputElement} */ (
      element('input', { type: 'range', min: '0', max: `${LAST_STEP}`, value: `${step}`, 'aria-label': about })
    );
    const ticks = element('div', { class: 'ticks', 'aria-hidden': 'true' });
    for (const side of ['32²', '64²', '128²', '256²', '512²', '1024²']) ticks.append(element('span', {}, side));
    this.elements = [this.slider, ticks];
  }

  get step() {
    return Number(this.slider.value);
  }

  set step(step) {
    this.slider.value = `${step}`;
  }

  /** @param {() => void} onChange by the person */
  listen(onChange) {
    this.slider.addEventListener('input', onChange);
  }

  /** @param {{width: number, height: number}} photo @returns {Size} */
  of({ width, height }) {
    return labelSize(width, height, longestSide(this.step));
  }

  /**
   * @param {{width: number, height: number}} frame of the camera @param {import('./pace.js').Pace} pace
   * @param {boolean} isChosen whether a person chose the step of the slider
   * @returns {FrameSize}
   */
  ofFrame({ width, height }, pace, isChosen) {
    const { side, step } = pace.next(width, height, isChosen ? this.step : undefined);
    return { seen: { rows: side, columns: side }, ...labelSize(width, height, longestSide(step)) };
  }

  /** @param {Size} size */
  say({ rows, columns }) {
    this.slider.setAttribute('aria-valuetext', `${columns} by ${rows} pixels`);
  }
}

class CanvasSize {
  /** @param {any} model what model.json says */
  constructor(model) {
    this.longest = model.longest_side;
    this.step = 0; // of no slider
    const side = sizeText(model.image_size, model.image_size);
    const text = `The size of the photo on the network’s canvas of ${side}, to which larger ones are reduced: it answers at no other.`;
    this.elements = [element('p', { class: 'note' }, text)];
  }

  listen() {}

  /** @param {{width: number, height: number}} photo @returns {Size} */
  of({ width, height }) {
    return canvasSize(width, height, this.longest);
  }

  /** @param {{width: number, height: number}} frame of the camera @returns {FrameSize} */
  ofFrame(frame) {
    const seen = this.of(frame);
    return { seen, ...seen };
  }

  say() {}
}
