// Files for the person: the picture as it is shown, and the label map.

import { palettePng } from './png.js';

const LONGEST = 4096; // pixels, of a picture: phones have little memory for a canvas

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The photo at its own size with the labels over it. @param {import('./pane.js').Pane} pane @param {string} stem */
export async function saveOverlay(pane, stem) {
  if (!pane.photo || !pane.isWhole) return;
  const scale = Math.min(1, LONGEST / Math.max(pane.photo.width, pane.photo.height));
  const [width, height] = [pane.photo.width, pane.photo.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) return;
  pane.paintOn(context, width, height);
  download(await canvas.convertToBlob({ type: 'image/png' }), `${stem}_overlay.png`);
}

/** The label map as `python -m fpliif_jax.predict` writes it. @param {import('./pane.js').Pane} pane @param {string} stem */
export async function saveLabels(pane, stem) {
  if (!pane.labels || !pane.isWhole) return;
  const { rows, columns } = pane.size;
  download(await palettePng(pane.labels, rows, columns, pane.model.colours), `${stem}_labels.png`);
}
