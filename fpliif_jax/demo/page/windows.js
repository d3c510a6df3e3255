// The windows of the face that fine networks look into, one for each part.

/** @typedef {{top: number, left: number, bottom: number, right: number, colour: string}} Window edges in shares of the photo's sides */

const LINES = /** @type {const} */ ([['rgba(0, 0, 0, .75)', 4], ['', 2]]); // a dark one below that of the part's colour

/**
 * The windows of a photo that lies in the middle of a canvas.
 * @param {Float32Array} edges [windows, 4]: top, left, bottom and right in shares of the canvas's side
 * @param {number} side of the canvas @param {{rows: number, columns: number}} size of the photo there
 * @param {any} model what model.json says
 * @returns {Window[]}
 */
export function windowsOf(edges, side, { rows, columns }, model) {
  const within = (/** @type {number} */ edge, /** @type {number} */ length) => (edge * side - Math.floor((side - length) / 2)) / length;
  return model.windows.map((/** @type {number[]} */ classes, /** @type {number} */ i) => {
    const [top, left, bottom, right] = edges.subarray(4 * i, 4 * i + 4);
    return {
      top: within(top, rows),
      left: within(left, columns),
      bottom: within(bottom, rows),
      right: within(right, columns),
      colour: model.colours[classes[0]],
    };
  });
}

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Window[]} windows @param {number} width @param {number} height @param {number} lineWidth
 */
export function drawWindows(context, windows, width, height, lineWidth) {
  for (const [below, lines] of LINES) {
    context.lineWidth = lines * lineWidth;
    for (const { top, left, bottom, right, colour } of windows) {
      context.strokeStyle = below || colour;
      context.strokeRect(left * width, top * height, (right - left) * width, (bottom - top) * height);
    }
  }
}
