// The two networks: the encoder, which sees a photo, and the decoder, which answers at coordinates. There are pairs of
// them for squares of several sides, by the same weights: the first is for photos, the smaller ones for live video.

import { argmax, softmax } from './labels.js';
import { photoPixels } from './photo.js';
import { centres } from './sizes.js';

const QUERIES = 2 ** 14; // pixels that are answered at once, in whole rows: bounds the memory

export class AnySizeNetwork {
  /** @param {import('./runtime.js').Runtime} runtime @param {Uint8Array[][]} files pairs @param {any} model what model.json says */
  constructor(runtime, files, model) {
    this.runtime = runtime;
    this.files = new Map(files.map((pair, i) => [model.sides[i], pair]));
    this.model = model;
    this.classes = model.class_names.length;
    /** @type {Map<number, Promise<{encoder: any, decoder: any}>>} by side, those that were needed so far */
    this.pairs = new Map();
    /** @type {any} what the encoder saw last, and the decoder for it */
    this.seen = undefined;
    this.runs = 0; // of an encoder
  }

  /** Makes what photos need. */
  async prepare() {
    await this.pair(this.model.image_size);
  }

  /** The networks for squares of a side, made when they are needed first. @param {number} side */
  pair(side) {
    const make = async () => {
      const sessions = [];
      for (const file of this.files.get(side) ?? []) sessions.push(await this.runtime.session(file));
      this.files.delete(side); // they take memory
      return { encoder: sessions[0], decoder: sessions[1] };
    };
    const made = this.pairs.get(side);
    if (made) return made;
    const pair = make();
    this.pairs.set(side, pair);
    pair.catch(() => this.pairs.delete(side)); // memory may be free the next time
    return pair;
  }

  /** Makes what frames of a size need; whether it was not there yet. @param {import('./sizes.js').Size} seen a square */
  async prepareFrames({ rows: side }) {
    const isNew = !this.pairs.has(side);
    await this.pair(side);
    return isNew;
  }

  /** Looks at a photo; answers are about it from then on. @param {ImageBitmap} bitmap */
  async look(bitmap) {
    const { image_size: side, bicubic } = this.model;
    const start = performance.now();
    const square = photoPixels(bitmap, side, side, bicubic);
    const read = performance.now();
    const windows = await this.encode(square, { rows: side, columns: side });
    return { windows, ms: { photo: read - start, encoder: performance.now() - read } };
  }

  /**
   * As `look`, of what has been read.
   * @param {Uint8Array} square [side, side, 3] @param {import('./sizes.js').Size} size
   * @returns {Promise<import('./windows.js').Window[]>} none
   */
  async encode(square, { rows: side }) {
    const { encoder, decoder } = await this.pair(side);
    this.runs++;
    const latent = await this.runtime.run(encoder, { photo: this.runtime.tensor('uint8', square, [side, side, 3]) });
    this.seen = { latent, decoder };
    return [];
  }

  /**
   * Logits at rows and columns.
   * @param {Float32Array} y @param {Float32Array} x @returns {Promise<Float32Array>} [y, x, classes]
   */
  async logits(y, x) {
    const axis = (/** @type {Float32Array} */ values) => this.runtime.tensor('float32', values, [values.length]);
    const { latent, decoder } = this.seen;
    const { logits } = await this.runtime.run(decoder, { ...latent, y: axis(y), x: axis(x) });
    return logits.data;
  }

  /** Probabilities of the classes at a point. @param {number} y @param {number} x in (-1, 1) */
  async probabilities(y, x) {
    return softmax(await this.logits(Float32Array.of(y), Float32Array.of(x)), this.model.logit_scale);
  }

  /** Labels at the centres of a square of cells. @param {number} count a side */
  async sampled(count) {
    return /** @type {Uint8Array} */ (await this.labels(count, count));
  }

  /**
   * A label map, made in bands of rows; undefined where `goOn` says in between that nobody needs it any more.
   * @param {number} rows @param {number} columns
   * @param {(labels: Uint8Array, end: number) => Promise<boolean>} goOn takes what is there up to a row
   * @returns {Promise<Uint8Array | undefined>} [rows, columns]
   */
  async labels(rows, columns, goOn = async () => true) {
    const labels = new Uint8Array(rows * columns);
    const [y, x] = [centres(rows), centres(columns)];
    const step = Math.max(1, Math.floor(QUERIES / columns));
    for (let top = 0; top < rows; top += step) {
      if (top && !(await goOn(labels, top))) return undefined;
      const end = Math.min(top + step, rows);
      const logits = await this.logits(y.slice(top, end), x);
      argmax(logits, this.classes, labels.subarray(top * columns, end * columns));
    }
    return labels;
  }
}
