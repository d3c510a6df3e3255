// A label map as a palette PNG: the value of a pixel is its class id, as `python -m fpliif_jax.predict` writes it.

import { channels } from './labels.js';

const NO_CLASS = [150, 150, 150]; // the colour of ids that are no class
const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRCS[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** @param {string} kind @param {Uint8Array} data */
function chunk(kind, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/**
 * @param {Uint8Array} labels @param {number} rows @param {number} columns @param {string[]} colours by class
 * @returns {Promise<Blob>}
 */
export async function palettePng(labels, rows, columns, colours) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, columns);
  view.setUint32(4, rows);
  header.set([8, 3], 8); // 8 bits, palette
  const palette = Array.from({ length: 256 }, (_, i) => (colours[i] ? channels(colours[i]) : NO_CLASS));
  const lines = new Uint8Array(rows * (columns + 1)); // each begins with its filter: none
  for (let row = 0; row < rows; row++) {
    lines.set(labels.subarray(row * columns, (row + 1) * columns), row * (columns + 1) + 1);
  }
  const deflated = new Blob([lines]).stream().pipeThrough(new CompressionStream('deflate'));
  const parts = [
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk('IHDR', header),
    chunk('PLTE', Uint8Array.from(palette.flat())),
    chunk('tEXt', new TextEncoder().encode('Software\0fpliif_jax.predict')),
    chunk('IDAT', new Uint8Array(await new Response(deflated).arrayBuffer())),
    chunk('IEND', new Uint8Array(0)),
  ];
  return new Blob(parts, { type: 'image/png' });
}
