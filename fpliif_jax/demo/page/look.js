// How labels are shown: what the person can set of it.

import { find } from './dom.js';

/** @param {import('./pane.js').Look} look changed here @param {import('./pane.js').Pane[]} panes */
export function letLook(look, panes) {
  find('opacity').addEventListener('input', () => {
    look.opacity = Number(find('opacity').value) / 100;
    find('opacity-value').textContent = `${find('opacity').value} %`;
    panes.forEach((pane) => pane.draw());
  });
  find('outlines').addEventListener('change', () => {
    look.outlines = find('outlines').checked;
    panes.forEach((pane) => pane.repaint());
  });
  find('windows').addEventListener('change', () => {
    look.windows = find('windows').checked;
    panes.forEach((pane) => pane.draw());
  });
}
