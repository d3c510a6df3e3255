// The classes: their colours, how much of the picture each is, and which are shown.

import { element } from './dom.js';

/** @param {string} colour */
export function swatch(colour) {
  const made = element('span', { class: 'swatch', 'aria-hidden': 'true' });
  made.style.setProperty('--colour', colour);
  return made;
}

/** @param {number} share */
export const percent = (share) => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;

export class Legend {
  /** @param {HTMLElement} place @param {any} model @param {Set<number>} hidden changed here @param {() => void} onChange */
  constructor(place, model, hidden, onChange) {
    this.hidden = hidden;
    this.onChange = onChange;
    /** @type {HTMLElement[]} */
    this.buttons = model.class_titles.map((/** @type {string} */ title, /** @type {number} */ i) => {
      const button = element('button', { type: 'button' }, swatch(model.colours[i]), title, element('small'));
      button.addEventListener('click', () => {
        if (!hidden.delete(i)) hidden.add(i);
        this.#changed();
      });
      place.append(button);
      return button;
    });
    this.#say();
  }

  /** @param {boolean} isShown all classes, or none */
  showAll(isShown) {
    this.buttons.forEach((_, i) => (isShown ? this.hidden.delete(i) : this.hidden.add(i)));
    this.#changed();
  }

  /** @param {number[]} shares by class */
  setShares(shares) {
    shares.forEach((share, i) => {
      const small = /** @type {HTMLElement} */ (this.buttons[i].querySelector('small'));
      small.textContent = share ? percent(share) : '';
      this.buttons[i].classList.toggle('absent', !share);
    });
  }

  #changed() {
    this.#say();
    this.onChange();
  }

  #say() {
    this.buttons.forEach((button, i) => button.setAttribute('aria-pressed', `${!this.hidden.has(i)}`));
  }
}
