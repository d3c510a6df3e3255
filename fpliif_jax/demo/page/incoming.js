// Photos that people bring: as a file, pasted or dropped.

import { find } from './dom.js';
import { PhotoError } from './photo.js';

/** @param {(file: File) => void} choose @param {(error: PhotoError) => void} complain */
export function takePhotos(choose, complain) {
  find('file').addEventListener('change', () => {
    const [file] = find('file').files;
    find('file').value = ''; // so that the same one can be chosen again
    if (file) choose(file);
  });
  document.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) choose(file);
    else complain(new PhotoError('There is no picture in what was pasted.'));
  });
  const isFile = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    find('drop').hidden = !isFile(event);
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) find('drop').hidden = true;
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    find('drop').hidden = true;
    const [file] = event.dataTransfer?.files ?? [];
    if (file) choose(file);
    else complain(new PhotoError('Drop the file of a photo: links are not followed.'));
  });
}
