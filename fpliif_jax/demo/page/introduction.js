// What the page says of its model, and the drawn faces that can be tried.

import { element, find } from './dom.js';

/** @param {any} model what model.json says @param {Blob[]} faces @param {(file: File) => void} choose */
export function introduce(model, faces, choose) {
  faces.forEach((face, i) => {
    const picture = element('img', { src: URL.createObjectURL(face), alt: '', width: '96', height: '96' });
    const button = element('button', { type: 'button', 'aria-label': `Drawn face ${i + 1}` }, picture);
    button.addEventListener('click', () => choose(new File([face], `drawn_face_${i + 1}.png`)));
    find('faces').append(button);
  });
  find('sides').textContent = model.sides_note;
  const parameters = model.parameters.toLocaleString('en');
  find('about').textContent =
    `${model.title}, ${parameters} parameters: ${model.description}. Made with fpliif_jax ${model.version} and ${model.runtime}.`;
}
