// What the page knows of the thread that computes: questions and answers.

import { PhotoError } from './photo.js';

/** Questions to a thread that is ended get no answer. */
export class Stopped extends Error {}

export class Engine {
  /** @param {any} model what model.json says */
  constructor(model) {
    this.model = model;
    this.questions = 0;
    /** @type {Map<number, {resolve: Function, reject: Function, onProgress?: Function}>} */
    this.open = new Map();
    /** @type {Worker | undefined} */
    this.worker = undefined;
  }

  /**
   * Loads runtime and networks anew.
   * @param {import('./runtime.js').Device} device @param {import('./runtime.js').Progress} onProgress
   * @returns {Promise<{threads: number}>}
   */
  load(device, onProgress) {
    this.worker?.terminate();
    this.#fail(new Stopped());
    this.worker = new Worker('worker.js', { type: 'module' });
    this.worker.onmessage = ({ data }) => this.#receive(data);
    this.worker.onerror = (event) => this.#fail(new Error(event.message || 'the thread that computes could not be started'));
    const report = (/** @type {any} */ { loaded, total }) => onProgress(loaded, total);
    return this.#ask({ action: 'load', device, model: this.model }, [], report);
  }

  /** @param {Blob} face @returns {Promise<{equal: number, total: number, perPixel: number}>} */
  check(face) {
    return this.#ask({ action: 'check', face });
  }

  /** @param {{file?: Blob, bitmap?: ImageBitmap}} source */
  photo(source) {
    return this.#ask({ action: 'photo', ...source }, source.bitmap ? [source.bitmap] : []);
  }

  /** @param {number} pane @param {{rows: number, columns: number}} size @param {Function} onBand gets bands of rows */
  labels(pane, size, onBand) {
    return this.#ask({ action: 'labels', pane, ...size }, [], onBand);
  }

  /** @param {number} y @param {number} x @returns {Promise<{probabilities: number[]}>} */
  point(y, x) {
    return this.#ask({ action: 'point', y, x });
  }

  /**
   * @param {Uint8Array} pixels [rows, columns, 3] of what the network sees
   * @param {import('./size_choice.js').FrameSize} size of it, and of the label map
   */
  frame(pixels, size) {
    return this.#ask({ action: 'frame', pixels, ...size }, [pixels.buffer]);
  }

  /** @param {object} question @param {Transferable[]} transferred @param {Function} [onProgress] @returns {Promise<any>} */
  #ask(question, transferred = [], onProgress) {
    const id = ++this.questions;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject, onProgress });
      this.worker?.postMessage({ ...question, id }, transferred);
    });
  }

  /** @param {any} message */
  #receive({ id, answer, progress, error, isOfPhoto }) {
    const question = this.open.get(id);
    if (!question) return;
    if (progress) return question.onProgress?.(progress);
    this.open.delete(id);
    if (answer) question.resolve(answer);
    else question.reject(isOfPhoto ? new PhotoError(error) : new Error(error));
  }

  /** @param {Error} reason */
  #fail(reason) {
    for (const { reject } of this.open.values()) reject(reason);
    this.open.clear();
  }
}
