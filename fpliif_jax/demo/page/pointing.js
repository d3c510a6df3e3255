// Pointing at a pixel, with a mouse, a finger or the arrow keys: all panes show it, and the readout asks for it.

/** @type {Record<string, number[]>} */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {import('./pane.js').Pane[]} panes @param {import('./readout.js').Readout} readout */
export function letPoint(panes, readout) {
  /** @param {import('./pane.js').Pane} pane @param {import('./pane.js').Cell | undefined} cell */
  function point(pane, cell) {
    if (!cell) {
      panes.forEach((one) => ((one.cell = undefined), one.draw()));
      return readout.clear();
    }
    const { x, y } = pane.centre(cell);
    panes.forEach((one) => ((one.cell = one.labels && one.cellOf(x, y)), one.draw()));
    readout.ask({ x, y });
  }

  for (const pane of panes) {
    const onPointer = (/** @type {PointerEvent} */ event) => pane.labels && point(pane, pane.cellAt(event));
    pane.canvas.addEventListener('pointermove', onPointer);
    pane.canvas.addEventListener('pointerdown', onPointer);
    pane.canvas.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && point(pane, undefined));
    pane.canvas.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') return point(pane, undefined);
      const move = MOVES[event.key];
      if (!move || !pane.labels) return;
      event.preventDefault();
      const { row, column } = pane.cell ?? pane.cellOf(0.5, 0.5);
      const far = event.shiftKey ? 10 : 1;
      const within = (/** @type {number} */ i, /** @type {number} */ count) => Math.min(Math.max(i, 0), count - 1);
      point(pane, {
        row: within(row + move[0] * far, pane.size.rows),
        column: within(column + move[1] * far, pane.size.columns),
      });
    });
  }
}
