// A photo with its label map over it, and how large that is.

import { element } from './dom.js';
import { borders, paint } from './labels.js';
import { sizeChoice } from './size_choice.js';
import { sizeText } from './sizes.js';
import { drawWindows } from './windows.js';

/** @typedef {import('./sizes.js').Size} Size */
/** @typedef {{opacity: number, outlines: boolean, windows: boolean, hidden: Set<number>, smoothing: ImageSmoothingQuality}} Look */
/** @typedef {{row: number, column: number}} Cell */

const LINE = 'rgba(255, 255, 255, .9)';
const PIXELS_OF_A_LINE = 900; // of the picture's longer side, for one pixel of line

/** As it is read. @param {number} ms */
export const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en')} ms`;

/** Painted labels in another size, for rows of that size to go over. @param {OffscreenCanvas | undefined} before @param {Size} size */
function resized(before, { rows, columns }) {
  const made = new OffscreenCanvas(columns, rows);
  const context = made.getContext('2d');
  if (context) context.imageSmoothingEnabled = false; // a label is a square
  if (before) context?.drawImage(before, 0, 0, columns, rows);
  return made;
}

export class Pane {
  /**
   * @param {number} id @param {number} step of the slider @param {Look} look shared by all panes
   * @param {any} model what model.json says
   */
  constructor(id, step, look, model) {
    this.id = id;
    this.look = look;
    this.model = model;
    /** @type {ImageBitmap | undefined} */
    this.photo = undefined;
    /** @type {Uint8Array | undefined} */
    this.labels = undefined;
    this.size = { rows: 0, columns: 0 };
    /** @type {(Size & {labels: Uint8Array, end: number}) | undefined} a label map of which the rows up to `end` are there */
    this.partial = undefined;
    this.questions = 0; // about label maps that are not answered yet
    /** @type {Cell | undefined} */
    this.cell = undefined;
    /** @type {OffscreenCanvas | undefined} the labels, or those that are there, as they are painted */
    this.colours = undefined;
    /** @type {number[]} */
    this.lines = [];
    this.canvas = /** @type {HTMLCanvasElement} */ (element('canvas', { tabindex: '0', role: 'img' }));
    /** @type {import('./windows.js').Window[]} */
    this.windows = [];
    this.sizing = sizeChoice(model, step);
    this.sizeText = element('output', { class: 'size' });
    this.ms = element('span', { class: 'ms' });
    const line = element('div', { class: 'row' }, this.sizeText, this.ms);
    const caption = element('figcaption', {}, line, ...this.sizing.elements);
    this.figure = element('figure', { class: 'pane' }, this.canvas, caption);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** The size of the label map that is asked for. @returns {Size} */
  get wanted() {
    return this.sizing.of(this.photo ?? { width: 1, height: 1 });
  }

  /** Whether the labels that are shown are a whole label map. */
  get isWhole() {
    return this.labels !== undefined && !this.partial;
  }

  /** @param {number} step */
  set step(step) {
    this.sizing.step = step;
    this.#sayWanted();
  }

  /** @param {ImageBitmap} photo @param {import('./windows.js').Window[]} windows */
  setPhoto(photo, windows = []) {
    const isOther = this.photo?.width !== photo.width || this.photo?.height !== photo.height;
    this.photo = photo;
    this.windows = windows;
    this.labels = this.partial = this.colours = undefined;
    this.lines = [];
    if (isOther) this.cell = undefined;
    this.canvas.style.setProperty('--aspect', `${photo.width / photo.height}`);
    this.#sayWanted();
  }

  /** @param {Uint8Array} labels @param {Size} size @param {number} [ms] that they took */
  setLabels(labels, { rows, columns }, ms) {
    this.labels = labels;
    this.partial = undefined;
    if (rows !== this.size.rows || columns !== this.size.columns) this.cell = this.#moved(rows, columns);
    this.size = { rows, columns };
    this.ms.textContent = ms === undefined ? '' : milliseconds(ms);
    this.repaint();
  }

  /**
   * Shows a band of rows of a label map that is not there as a whole yet, over the one before.
   * @param {{band: Uint8Array, top: number, rows: number, columns: number}} part
   */
  setBand({ band, top, rows, columns }) {
    if (top === 0) {
      this.partial = { labels: new Uint8Array(rows * columns), rows, columns, end: 0 };
      this.colours = resized(this.colours, this.partial);
      this.lines = [];
    }
    const { partial } = this;
    if (partial?.end !== top || partial.rows !== rows) return; // of a map whose first rows nobody wanted
    partial.labels.set(band, top * columns);
    partial.end = top + band.length / columns;
    this.#put(band, columns, top);
    this.ms.textContent = `${Math.round((partial.end / rows) * 100)} %`;
    this.draw();
  }

  /** Is called where labels or look have changed. */
  repaint() {
    const { labels, partial } = this;
    const { rows, columns } = this.size;
    this.colours = undefined;
    if (labels) {
      this.colours = new OffscreenCanvas(columns, rows);
      this.#put(labels, columns, 0);
    }
    if (partial) {
      this.colours = resized(this.colours, partial);
      this.#put(partial.labels.subarray(0, partial.end * partial.columns), partial.columns, 0);
    }
    this.lines = labels && !partial && this.look.outlines ? borders(labels, rows, columns, this.look.hidden) : [];
    this.draw();
  }

  draw() {
    const scale = window.devicePixelRatio;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((side) => Math.round(side * scale));
    const context = this.canvas.getContext('2d');
    if (!context || !this.photo || !width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.paintOn(context, width, height, scale);
    if (this.labels && this.cell) this.#drawCell(context, width, height, scale);
  }

  /**
   * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
   * @param {number} width @param {number} height @param {number} lineWidth
   */
  paintOn(context, width, height, lineWidth = Math.max(1, Math.max(width, height) / PIXELS_OF_A_LINE)) {
    if (!this.photo) return;
    context.fillStyle = 'white'; // under what is transparent
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = this.look.smoothing;
    context.drawImage(this.photo, 0, 0, width, height);
    if (this.colours) this.#paintLabels(context, width, height, lineWidth);
    if (this.look.windows) drawWindows(context, this.windows, width, height, lineWidth);
  }

  /**
   * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
   * @param {number} width @param {number} height @param {number} lineWidth
   */
  #paintLabels(context, width, height, lineWidth) {
    if (!this.colours) return;
    context.globalAlpha = this.look.opacity;
    context.imageSmoothingEnabled = false; // a label is a square
    context.drawImage(this.colours, 0, 0, width, height);
    context.globalAlpha = Math.min(1, this.look.opacity * 2);
    context.strokeStyle = LINE;
    context.lineWidth = lineWidth;
    context.lineCap = 'square';
    const [x, y] = [width / this.size.columns, height / this.size.rows];
    context.beginPath();
    for (let i = 0; i < this.lines.length; i += 4) {
      context.moveTo(this.lines[i] * x, this.lines[i + 1] * y);
      context.lineTo(this.lines[i + 2] * x, this.lines[i + 3] * y);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /** The pixel of the label map at a place of the screen. @param {PointerEvent} event @returns {Cell | undefined} */
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    return x >= 0 && x < 1 && y >= 0 && y < 1 ? this.cellOf(x, y) : undefined;
  }

  /** @param {number} x @param {number} y shares of the sides @returns {Cell} */
  cellOf(x, y) {
    const { rows, columns } = this.size;
    return { row: Math.min(Math.floor(y * rows), rows - 1), column: Math.min(Math.floor(x * columns), columns - 1) };
  }

  /** The middle of a pixel, in shares of the sides. @param {Cell} cell */
  centre({ row, column }) {
    return { x: (column + 0.5) / this.size.columns, y: (row + 0.5) / this.size.rows };
  }

  /** Paints whole rows of labels. @param {Uint8Array} labels @param {number} columns @param {number} top */
  #put(labels, columns, top) {
    const pixels = paint(labels, this.model.colours, this.look.hidden);
    const image = new ImageData(pixels, columns, labels.length / columns);
    this.colours?.getContext('2d')?.putImageData(image, 0, top);
  }

  #sayWanted() {
    const { rows, columns } = this.wanted;
    this.sizeText.textContent = sizeText(rows, columns);
    this.sizing.say({ rows, columns });
  }

  /** The pointed pixel, in a map of another size. @param {number} rows @param {number} columns */
  #moved(rows, columns) {
    if (!this.cell || !this.size.rows) return undefined;
    const { x, y } = this.centre(this.cell);
    return { row: Math.floor(y * rows), column: Math.floor(x * columns) };
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {number} scale */
  #drawCell(context, width, height, scale) {
    const { row, column } = /** @type {Cell} */ (this.cell);
    const [w, h] = [width / this.size.columns, height / this.size.rows];
    const margin = Math.max(0, 5 * scale - Math.min(w, h) / 2); // a pixel may be smaller than the eye sees
    const box = /** @type {const} */ ([column * w - margin, row * h - margin, w + 2 * margin, h + 2 * margin]);
    for (const [colour, line] of [['black', 4], ['white', 2]]) {
      context.strokeStyle = String(colour);
      context.lineWidth = Number(line) * scale;
      context.strokeRect(...box);
    }
  }
}
