// What the network says of one pixel: its class, and the probabilities of the likeliest ones.

import { element } from './dom.js';
import { percent, swatch } from './legend.js';

const MOST_CLASSES = 4;
const HINT = 'Point at the picture, or tap it. With the keyboard: arrow keys, once the picture has the focus.';

export class Readout {
  /** @param {HTMLElement} place @param {any} model @param {import('./engine.js').Engine} engine */
  constructor(place, model, engine) {
    this.place = place;
    this.model = model;
    this.engine = engine;
    /** @type {{x: number, y: number} | undefined} */
    this.next = undefined;
    this.isAsking = false;
    this.clear();
  }

  clear() {
    this.next = undefined;
    this.place.replaceChildren(element('p', { class: 'note' }, HINT));
  }

  /** Asks for the place that was pointed at last. @param {{x: number, y: number}} point shares of the sides */
  async ask(point) {
    this.next = point;
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      while (this.next) {
        const { x, y } = this.next;
        this.next = undefined;
        const { probabilities } = await this.engine.point(y * 2 - 1, x * 2 - 1);
        this.#show(probabilities);
      }
    } catch {
      this.clear(); // the thread has been stopped: what stopped it says so
    } finally {
      this.isAsking = false;
    }
  }

  /** @param {number[]} probabilities by class */
  #show(probabilities) {
    const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
    const rows = order.slice(0, MOST_CLASSES).map((i) => {
      const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
      bar.style.setProperty('--share', `${probabilities[i]}`);
      const name = element('span', { class: 'name' }, swatch(this.model.colours[i]), this.model.class_titles[i]);
      return element('li', {}, name, bar, element('span', { class: 'value' }, percent(probabilities[i])));
    });
    this.place.replaceChildren(element('ol', { class: 'probabilities' }, ...rows));
  }
}
