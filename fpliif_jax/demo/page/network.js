// The two networks: the encoder, which sees a photo, and the decoder, which answers at coordinates. There are pairs of
// them for squares of several sides, by the same weights: the first is for photos, the smaller ones for live video.

import { argmax } from './labels.js';
import { centres } from './sizes.js';

const QUERIES = 2 ** 14; // pixels that are answered at once, in whole rows: bounds the memory
const MODULES = { cpu: './runtime/ort.wasm.min.mjs', gpu: './runtime/ort.webgpu.min.mjs' };
const BINARIES = {
  cpu: 'runtime/ort-wasm-simd-threaded.wasm',
  gpu: 'runtime/ort-wasm-simd-threaded.asyncify.wasm',
};
const PARTS = ['encoder', 'decoder'];
const MOST_THREADS = 8;

/** @typedef {'cpu' | 'gpu'} Device */
/** @typedef {(loaded: number, total: number) => void} Progress bytes */

/** @param {string} path @param {(bytes: number) => void} onBytes @returns {Promise<Uint8Array>} */
async function download(path, onBytes) {
  const response = await fetch(path);
  if (!response.ok || !response.body) throw new Error(`${path}: ${response.status}`);
  const parts = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    parts.push(read.value);
    length += read.value.length;
    onBytes(read.value.length);
  }
  const whole = new Uint8Array(length);
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

export class Network {
  /**
   * @param {any} ort @param {any} options of a session @param {Map<number, Uint8Array[]>} files of the pair, by side
   * @param {any} model what model.json says
   */
  constructor(ort, options, files, model) {
    this.ort = ort;
    this.options = options;
    this.files = files;
    this.model = model;
    this.classes = model.class_names.length;
    /** @type {Map<number, Promise<{encoder: any, decoder: any}>>} by side, those that were needed so far */
    this.pairs = new Map();
    /** @type {any} what the encoder saw last, and the decoder for it */
    this.seen = undefined;
    this.encoderRuns = 0;
    this.last = Promise.resolve(); // a session runs once at a time
  }

  /** @param {Device} device @param {any} model @param {Progress} onProgress */
  static async load(device, model, onProgress) {
    const networks = model.sides.flatMap((/** @type {number} */ side) => PARTS.map((part) => `model/${part}_${side}.onnx`));
    const paths = [BINARIES[device], ...networks];
    const total = paths.reduce((sum, path) => sum + model.bytes[path], 0);
    let loaded = 0;
    const count = (/** @type {number} */ bytes) => onProgress((loaded += bytes), total);
    const ort = await import(MODULES[device]);
    const [binary, ...bytes] = await Promise.all(paths.map((path) => download(path, count)));
    ort.env.wasm.wasmBinary = binary;
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
    ort.env.logLevel = 'error';
    const options = { executionProviders: [device === 'gpu' ? 'webgpu' : 'wasm'], logSeverityLevel: 3 };
    const filesOf = (/** @type {number} */ i) => bytes.slice(i * PARTS.length, (i + 1) * PARTS.length);
    const files = new Map(model.sides.map((/** @type {number} */ side, /** @type {number} */ i) => [side, filesOf(i)]));
    const network = new Network(ort, options, files, model);
    await network.pair(model.image_size);
    return network;
  }

  /** The networks for squares of a side, made when they are needed first. @param {number} side */
  pair(side) {
    const make = async () => {
      const sessions = [];
      for (const file of this.files.get(side) ?? []) sessions.push(await this.ort.InferenceSession.create(file, this.options));
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

  get threads() {
    return this.ort.env.wasm.numThreads;
  }

  /** @param {any} session @param {any} feeds @returns {Promise<any>} */
  #run(session, feeds) {
    const result = this.last.then(() => session.run(feeds));
    this.last = result.catch(() => {});
    return result;
  }

  /** Looks at a photo; answers are about it from then on. @param {Uint8Array} square [side, side, 3] @param {number} side */
  async encode(square, side) {
    const { encoder, decoder } = await this.pair(side);
    this.encoderRuns++;
    const latent = await this.#run(encoder, { photo: new this.ort.Tensor('uint8', square, [side, side, 3]) });
    this.seen = { latent, decoder };
  }

  /**
   * Logits at rows and columns.
   * @param {Float32Array} y @param {Float32Array} x @returns {Promise<Float32Array>} [y, x, classes]
   */
  async logits(y, x) {
    const axes = { y: new this.ort.Tensor('float32', y, [y.length]), x: new this.ort.Tensor('float32', x, [x.length]) };
    const { latent, decoder } = this.seen;
    const { logits } = await this.#run(decoder, { ...latent, ...axes });
    return logits.data;
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
