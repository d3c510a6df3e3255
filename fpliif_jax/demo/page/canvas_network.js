// A network that sees a photo on its canvas and answers there, once: its label map has one size. It looks into windows
// of the face, one for each part, and says where they are.

import { argmax } from './labels.js';
import { photoPixels } from './photo.js';
import { canvasSize } from './sizes.js';
import { windowsOf } from './windows.js';

export class CanvasNetwork {
  /** @param {import('./runtime.js').Runtime} runtime @param {Uint8Array[][]} files one @param {any} model what model.json says */
  constructor(runtime, [[file]], model) {
    this.runtime = runtime;
    this.file = file;
    this.model = model;
    this.classes = model.class_names.length;
    this.size = { rows: 0, columns: 0 }; // of the photo on the canvas
    this.values = new Float32Array(); // of the classes there: [rows, columns, classes]
    this.runs = 0;
  }

  async prepare() {
    this.session = await this.runtime.session(this.file);
    this.file = new Uint8Array(); // it takes memory
  }

  /** There is one network for all frames. */
  async prepareFrames() {
    return false;
  }

  /** Looks at a photo; answers are about it from then on. @param {ImageBitmap} bitmap */
  async look(bitmap) {
    const start = performance.now();
    const size = canvasSize(bitmap.width, bitmap.height, this.model.longest_side);
    const pixels = photoPixels(bitmap, size.rows, size.columns, this.model.bicubic);
    const read = performance.now();
    const windows = await this.encode(pixels, size);
    return { windows, ms: { photo: read - start, encoder: performance.now() - read } };
  }

  /**
   * As `look`, of what has been read.
   * @param {Uint8Array} pixels [rows, columns, 3] @param {import('./sizes.js').Size} size
   * @returns {Promise<import('./windows.js').Window[]>}
   */
  async encode(pixels, size) {
    const { rows, columns } = size;
    const side = this.model.image_size;
    const [top, left] = [rows, columns].map((length) => Math.floor((side - length) / 2));
    const canvas = new Uint8Array(side * side * 3);
    for (let row = 0; row < rows; row++) {
      canvas.set(pixels.subarray(row * columns * 3, (row + 1) * columns * 3), ((top + row) * side + left) * 3);
    }
    this.runs++;
    const { probabilities, windows } = await this.runtime.run(this.session, {
      canvas: this.runtime.tensor('uint8', canvas, [side, side, 3]),
      image_size: this.runtime.tensor('int32', Int32Array.of(rows, columns), [2]),
    });
    const line = columns * this.classes;
    this.values = new Float32Array(rows * line);
    for (let row = 0; row < rows; row++) {
      const from = ((top + row) * side + left) * this.classes;
      this.values.set(probabilities.data.subarray(from, from + line), row * line);
    }
    this.size = size;
    return windowsOf(windows.data, side, size, this.model);
  }

  /**
   * The label map; undefined where another photo, of another size, has been seen since the question.
   * @param {number} rows @param {number} columns @returns {Promise<Uint8Array | undefined>} [rows, columns]
   */
  async labels(rows, columns) {
    if (rows !== this.size.rows || columns !== this.size.columns) return undefined;
    const labels = new Uint8Array(rows * columns);
    argmax(this.values, this.classes, labels);
    return labels;
  }

  /** Labels at the centres of a square of cells: of the pixels that hold them. @param {number} count a side */
  async sampled(count) {
    const { rows, columns } = this.size;
    const labels = /** @type {Uint8Array} */ (await this.labels(rows, columns));
    const at = (/** @type {number} */ i, /** @type {number} */ length) => Math.floor(((2 * i + 1) * length) / (2 * count));
    return Uint8Array.from({ length: count ** 2 }, (_, i) => labels[at(Math.floor(i / count), rows) * columns + at(i % count, columns)]);
  }

  /** The values of the classes over their sum, which is above 1 where windows overlap. @param {number} y @param {number} x in (-1, 1) */
  async probabilities(y, x) {
    const { rows, columns } = this.size;
    const pixel = Math.floor(((y + 1) / 2) * rows) * columns + Math.floor(((x + 1) / 2) * columns);
    const values = Array.from(this.values.subarray(pixel * this.classes, (pixel + 1) * this.classes));
    const sum = values.reduce((a, b) => a + b, 0);
    return values.map((value) => value / sum);
  }
}
