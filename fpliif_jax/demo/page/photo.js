// Photos as they come from people: read upright and in colour, as Python reads them; and frames of the camera.

import { PhotoResizer } from './resize.js';

const MOST_BYTES = 100 * 2 ** 20;
const MOST_PIXELS = 120e6; // phones reach 108 million
const BAND = 2 ** 21; // pixels that are looked at at once: phones have little memory for a canvas

/** What is wrong with a photo, to be said to the person. */
export class PhotoError extends Error {}

/** @param {Blob} file @returns {Promise<ImageBitmap>} */
export async function decode(file) {
  if (file.size > MOST_BYTES) {
    throw new PhotoError(`This file has ${Math.round(file.size / 2 ** 20)} MiB; the most is ${MOST_BYTES / 2 ** 20}.`);
  }
  let bitmap;
  try {
    // Colours as they are stored: Python looks at no colour profile either. The orientation is followed.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch {
    const name = 'name' in file ? `“${String(file.name).slice(0, 60)}”` : 'This';
    throw new PhotoError(`${name} is no photo that this browser can read. JPEG, PNG and WebP always work.`);
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    const size = `${bitmap.width} × ${bitmap.height}`;
    bitmap.close();
    throw new PhotoError(`This photo has ${size} pixels; the most are ${MOST_PIXELS / 1e6} million.`);
  }
  return bitmap;
}

/**
 * A photo as the network takes it.
 * @param {ImageBitmap} bitmap @param {number} toRows @param {number} toColumns @param {import('./resize.js').Filter} filter
 * @returns {Uint8Array} [toRows, toColumns, 3]
 */
export function photoPixels(bitmap, toRows, toColumns, filter) {
  const { width, height } = bitmap;
  const resizer = new PhotoResizer(width, height, toRows, toColumns, filter);
  const rows = Math.max(1, Math.min(height, Math.floor(BAND / width)));
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new PhotoError('This photo is too large for this browser.');
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.fillStyle = 'white'; // under what is transparent
    context.fillRect(0, 0, width, count);
    context.drawImage(bitmap, 0, -top);
    resizer.push(context.getImageData(0, 0, width, count).data);
  }
  return resizer.finish();
}

/**
 * A frame of the camera as the network takes it: resized by the browser, which is quick and nearly Pillow's.
 * @param {ImageBitmap} bitmap @param {import('./sizes.js').Size} size @returns {Uint8Array} [rows, columns, 3]
 */
export function frameInput(bitmap, { rows, columns }) {
  const context = new OffscreenCanvas(columns, rows).getContext('2d', { willReadFrequently: true });
  if (!context) throw new PhotoError('This browser has no memory left for the camera’s picture.');
  context.imageSmoothingQuality = 'medium'; // halves it until it is small enough: 'low' would leave pixels out
  context.drawImage(bitmap, 0, 0, columns, rows);
  const { data } = context.getImageData(0, 0, columns, rows);
  return new Uint8Array(rows * columns * 3).map((_, i) => data[Math.trunc(i / 3) * 4 + (i % 3)]);
}
