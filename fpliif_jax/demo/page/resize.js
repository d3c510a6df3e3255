// Resizing of a photo as the network's training data was resized: Pillow's bicubic filter to the last bit, or PyTorch's.

/** @typedef {'pillow' | 'pytorch'} Filter */
/** @typedef {{first: Int32Array, count: number, weights: Float64Array}} Taps weights of `count` pixels from `first` on */

const BITS = 22; // of the fixed-point weights in Pillow's Resample.c: 32 - 8 - 2
const HALF = 2 ** (BITS - 1);

/** Pillow's cubic convolution, a = -0.5. @param {number} x */
function cubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/**
 * Pillow's weights in fixed point: the filter widens with the scale (antialiasing).
 * @param {number} length @param {number} side @returns {Taps}
 */
function pillowTaps(length, side) {
  const scale = length / side;
  const filterScale = Math.max(scale, 1);
  const support = 2 * filterScale;
  const count = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(side);
  const weights = new Float64Array(side * count);
  for (let i = 0; i < side; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), length);
    let sum = 0;
    for (let k = 0; k < end - start; k++) {
      const weight = cubic((k + start - centre + 0.5) * (1 / filterScale));
      weights[i * count + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < end - start; k++) {
      const weight = (weights[i * count + k] / sum) * 2 ** BITS;
      weights[i * count + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = start;
  }
  return { first, count, weights };
}

/**
 * The weights of torch.nn.functional.interpolate: a = -0.75, four pixels whatever the scale, edge pixels repeated.
 * @param {number} length @param {number} side @returns {Taps}
 */
function pytorchTaps(length, side) {
  const a = -0.75;
  const count = 4;
  const first = new Int32Array(side);
  const weights = new Float64Array(side * count);
  for (let i = 0; i < side; i++) {
    const centre = (i + 0.5) * (length / side) - 0.5;
    const left = Math.floor(centre);
    const start = Math.max(Math.min(left - 1, length - count), 0);
    for (let k = -1; k < 3; k++) {
      const distance = Math.abs(centre - left - k);
      const weight =
        distance <= 1
          ? ((a + 2) * distance - (a + 3)) * distance ** 2 + 1
          : ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
      const pixel = Math.min(Math.max(left + k, 0), length - 1);
      weights[i * count + pixel - start] += weight;
    }
    first[i] = start;
  }
  return { first, count, weights };
}

/** @param {number} x rounds halves to even, as NumPy */
function rint(x) {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** @param {number} x */
const clip8 = (x) => (x < 0 ? 0 : x > 255 ? 255 : x);

/** Resizes a photo that comes in bands of rows, so that a large one is never there as a whole. */
export class PhotoResizer {
  /**
   * @param {number} width of the photo
   * @param {number} height of the photo
   * @param {number} toRows of the result
   * @param {number} toColumns of the result
   * @param {Filter} filter
   */
  constructor(width, height, toRows, toColumns, filter) {
    const taps = filter === 'pillow' ? pillowTaps : pytorchTaps;
    this.isPillow = filter === 'pillow';
    // As Pillow does from version 13 on; between the two passes it rounds, so that their order matters.
    this.isDownFirst = this.isPillow && height > toRows && height - toRows > 2 * (width - toColumns);
    this.width = width;
    this.height = height;
    this.toRows = toRows;
    this.toColumns = toColumns;
    this.across = taps(width, toColumns);
    this.down = taps(height, toRows);
    // Sums of all rows so far, where these are added up first; else rows that are narrowed already.
    this.between = new Float64Array(this.isDownFirst ? toRows * width * 3 : height * toColumns * 3);
    this.rows = 0;
  }

  /** Takes the next rows. @param {Uint8ClampedArray | Uint8Array} rgba of whole rows */
  push(rgba) {
    const { width, toColumns } = this;
    const rows = rgba.length / (4 * width);
    for (let row = 0; row < rows; row++, this.rows++) {
      const line = rgba.subarray(row * width * 4, (row + 1) * width * 4);
      if (this.isDownFirst) this.#addDown(line);
      else this.#narrow(line, 4, this.between.subarray(this.rows * toColumns * 3, (this.rows + 1) * toColumns * 3));
    }
  }

  /** The result, once all rows are there. @returns {Uint8Array} [toRows, toColumns, 3] */
  finish() {
    const { toRows, toColumns, width, height, between } = this;
    if (this.rows !== height) throw new Error(`${this.rows} of ${height} rows`);
    const result = new Uint8Array(toRows * toColumns * 3);
    if (this.isDownFirst) {
      for (let i = 0; i < between.length; i++) between[i] = this.#rounded(between[i]);
      const line = new Float64Array(toColumns * 3);
      for (let row = 0; row < toRows; row++) {
        this.#narrow(between.subarray(row * width * 3, (row + 1) * width * 3), 3, line);
        result.set(line, row * toColumns * 3);
      }
      return result;
    }
    const { first, count, weights } = this.down;
    const length = toColumns * 3;
    for (let i = 0; i < toRows; i++) {
      const taps = Math.min(count, height - first[i]);
      for (let x = 0; x < length; x++) {
        let sum = 0;
        for (let k = 0; k < taps; k++) sum += between[(first[i] + k) * length + x] * weights[i * count + k];
        result[i * length + x] = this.isPillow ? this.#rounded(sum) : clip8(rint(sum));
      }
    }
    return result;
  }

  /** Of Pillow's fixed-point sums, 8 bits; of PyTorch's, themselves. @param {number} sum */
  #rounded(sum) {
    return this.isPillow ? clip8((sum + HALF) >> BITS) : sum;
  }

  /**
   * Resizes a row to `toColumns` pixels of three channels.
   * @param {Uint8ClampedArray | Uint8Array | Float64Array} line @param {number} channels of it
   * @param {Float64Array} target
   */
  #narrow(line, channels, target) {
    const { first, count, weights } = this.across;
    for (let i = 0; i < this.toColumns; i++) {
      const taps = Math.min(count, this.width - first[i]);
      let [r, g, b] = [0, 0, 0];
      for (let k = 0, source = first[i] * channels; k < taps; k++, source += channels) {
        const weight = weights[i * count + k];
        r += line[source] * weight;
        g += line[source + 1] * weight;
        b += line[source + 2] * weight;
      }
      target[i * 3] = this.#rounded(r);
      target[i * 3 + 1] = this.#rounded(g);
      target[i * 3 + 2] = this.#rounded(b);
    }
  }

  /** Adds a row, the next one, to all rows of the result that it is a part of. @param {Uint8ClampedArray | Uint8Array} line */
  #addDown(line) {
    const { first, count, weights } = this.down;
    const length = this.width * 3;
    for (let i = 0; i < this.toRows; i++) {
      const tap = this.rows - first[i];
      if (tap < 0 || tap >= count || !weights[i * count + tap]) continue;
      const weight = weights[i * count + tap];
      for (let x = 0, source = i * length; x < line.length; x += 4, source += 3) {
        this.between[source] += line[x] * weight;
        this.between[source + 1] += line[x + 1] * weight;
        this.between[source + 2] += line[x + 2] * weight;
      }
    }
  }
}
