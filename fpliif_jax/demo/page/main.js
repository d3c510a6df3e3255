// The page: what is on it and what happens when somebody does something.

import { Camera } from './camera.js';
import { Engine, Stopped } from './engine.js';
import { shares } from './labels.js';
import { Legend, percent, spoken } from './legend.js';
import { prepare } from './offline.js';
import { Pane, element, milliseconds } from './pane.js';
import { PhotoError } from './photo.js';
import { Readout } from './readout.js';
import { saveLabels, saveOverlay } from './save.js';
import { labelSize, longestSide, sizeText, stepOf } from './sizes.js';

const FACES = 3;
const ENOUGH = 0.999; // of the labels of a drawn face that have to be Python's
const PATIENCE = 500; // ms, for the first label map
/** @type {Record<string, string>} */
const DEVICES = { cpu: 'The processor', gpu: 'The graphics chip' };
const NOT_LOADED = 'The network could not be loaded. Load the page again.';
/** @type {Record<string, number[]>} */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

const find = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const work = find('work');
/** @type {import('./pane.js').Look} */
const look = { opacity: 0.6, outlines: true, hidden: new Set(), smoothing: 'high' };
/** @type {any} */
let model;
/** @type {Engine} */
let engine;
/** @type {Pane[]} */
let panes = [];
/** @type {Legend} */
let legend;
/** @type {Readout} */
let readout;
/** @type {Camera} */
let camera;
/** @type {Blob[]} */
let faces = [];
/** @type {File | Blob | undefined} */
let waiting; // the last that was chosen, until the network has looked at it
/** @type {ImageBitmap | undefined} */
let seen; // the photo that the network has looked at
let stem = 'photo'; // of the names of files that are saved
let isSized = false; // whether the person chose the size of the live picture
let initialStep = stepOf(256); // of the slider, for a photo

const shown = () => panes.filter((pane) => !pane.figure.hidden);
const say = (/** @type {string} */ text) => (find('status').textContent = text);

/** @param {unknown} error */
function complain(error) {
  if (error instanceof Stopped) return;
  say('');
  const isKnown = error instanceof PhotoError;
  find('alert-text').textContent = isKnown ? error.message : `Something went wrong: ${/** @type {Error} */ (error).message ?? error}`;
  find('alert').hidden = false;
  if (!isKnown) console.error(error);
}

const forgive = () => (find('alert').hidden = true);

// -------------------------------------------------------------------------------------------- loading

/** @param {number} loaded @param {number} total bytes */
function onProgress(loaded, total) {
  find('progress').value = loaded / total;
  const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(1);
  const text = loaded < total ? `Loading the network: ${mib(loaded)} of ${mib(total)} MiB` : 'Starting the network…';
  find('loading-text').textContent = text;
  if (find('welcome').hidden) say(text);
}

async function hasGpu() {
  try {
    const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}

/**
 * Loads the network and compares it with Python.
 * @param {import('./network.js').Device} device
 * @param {import('./network.js').Device} [spare] where that fails: offline, or by a graphics chip
 */
async function load(device, spare) {
  work.dataset.state = 'loading';
  seen = undefined;
  try {
    const { threads } = await engine.load(device, onProgress);
    const { equal, total, perPixel } = await engine.check(faces[0]);
    const text = `${equal.toLocaleString('en')} of ${total.toLocaleString('en')}`;
    if (equal < ENOUGH * total) throw new Error(`only ${text} labels of a drawn face are those of Python`);
    const many = device === 'gpu' ? '' : ` ${threads} thread${threads > 1 ? 's' : ''}.`;
    find('check').textContent = `${text} labels of a drawn face are Python's.${many}`;
    find('device').value = device;
    initialStep = firstStep(perPixel);
    if (!panes[0].photo) panes[0].step = initialStep;
    work.dataset.state = 'ready';
    work.dataset.device = device;
  } catch (error) {
    if (!spare || error instanceof Stopped) throw error;
    console.warn(device, error);
    await load(spare);
    find('check').textContent += ` ${DEVICES[device]} could not be used.`;
  }
}

/** The size that a photo is labelled in first: no wait is long. @param {number} perPixel ms */
function firstStep(perPixel) {
  const sides = [512, 256, 128];
  return stepOf(sides.find((side) => side ** 2 * perPixel <= PATIENCE) ?? 64);
}

async function start() {
  if (await prepare()) return;
  const [answer, gpu, ...blobs] = await Promise.all([
    fetch('model/model.json').then((response) => response.json()),
    hasGpu(),
    ...Array.from({ length: FACES }, (_, i) => fetch(`faces/${i}.png`).then((response) => response.blob())),
  ]);
  model = answer;
  faces = blobs;
  engine = new Engine(model);
  build();
  const asked = new URLSearchParams(location.search).get('device');
  const device = asked === 'cpu' || asked === 'gpu' ? asked : gpu ? 'gpu' : 'cpu';
  if (!gpu && device === 'cpu') find('device').closest('label').hidden = true;
  await load(device, device === 'gpu' ? 'cpu' : undefined);
  if (waiting) await choose(waiting);
}

/** Goes on, with the photo that is shown or one that is chosen meanwhile, on another device. */
async function changeDevice() {
  const [device, before] = [find('device').value, work.dataset.device];
  forgive();
  await camera.stop();
  await load(device, before);
  await (waiting ? choose(waiting) : lookAgain());
}

/** Has a network that has not seen the photo that is shown look at it, unless another one is chosen. */
async function lookAgain() {
  const bitmap = panes[0].photo;
  if (!bitmap) return;
  const isReady = () => work.dataset.state === 'ready' && !camera.isOn;
  const isWanted = () => panes[0].photo === bitmap && seen !== bitmap && !waiting && isReady();
  if (!isWanted()) return;
  const copy = await createImageBitmap(bitmap);
  if (!isWanted()) return copy.close();
  const answer = await engine.photo({ bitmap: copy });
  if (answer.outdated) return;
  showPhoto(answer.bitmap, answer.ms, answer.runs);
  await Promise.all(shown().map(label));
}

/** @param {unknown} error after which there may be no network */
function onFailure(error) {
  if (work.dataset.state !== 'loading' || error instanceof Stopped) return complain(error);
  work.dataset.state = 'failed';
  find('loading-text').textContent = NOT_LOADED;
  console.warn(error);
  complain(new PhotoError(NOT_LOADED));
}

function build() {
  look.hidden = new Set(model.class_names.flatMap((/** @type {string} */ name, /** @type {number} */ i) => (name === 'background' ? [i] : [])));
  panes = [new Pane(0, initialStep, look, model), new Pane(1, stepOf(32), look, model)];
  panes[1].figure.hidden = true;
  panes.forEach(wire);
  find('panes').append(...panes.map((pane) => pane.figure));
  legend = new Legend(find('legend'), model, look.hidden, () => panes.forEach((pane) => pane.repaint()));
  readout = new Readout(find('readout'), model, engine);
  camera = new Camera(engine, liveSize, showFrame);
  faces.forEach((face, i) => {
    const picture = element('img', { src: URL.createObjectURL(face), alt: '', width: '96', height: '96' });
    const button = element('button', { type: 'button', 'aria-label': `Drawn face ${i + 1}` }, picture);
    button.addEventListener('click', () => choose(new File([face], `drawn_face_${i + 1}.png`)));
    find('faces').append(button);
  });
  const side = model.whose_left === 'person' ? 'the person’s' : 'the picture’s';
  find('sides').textContent = `Left and right are ${side}.`;
  const parameters = model.parameters.toLocaleString('en');
  find('about').textContent =
    `${model.title}, ${parameters} parameters: ${model.description}. Made with fpliif_jax ${model.version} and ${model.runtime}.`;
}

// ---------------------------------------------------------------------------------------------- photos

/** @param {Blob} file */
async function choose(file) {
  forgive();
  waiting = file;
  if (work.dataset.state === 'ready') await camera.stop(); // asking for it as well
  if (work.dataset.state === 'failed') return complain(new PhotoError(NOT_LOADED));
  if (work.dataset.state === 'loading') return say('The photo is labelled as soon as the network is loaded.');
  if (waiting !== file) return;
  say('Looking at the photo…');
  try {
    const { outdated, bitmap, ms, runs } = await engine.photo({ file });
    if (waiting === file) waiting = undefined;
    if (outdated) return;
    stem = 'name' in file ? String(file.name).replace(/\.\w+$/, '').slice(0, 80) || 'photo' : 'photo';
    showPhoto(bitmap, ms, runs);
    await Promise.all(shown().map(label));
  } catch (error) {
    complain(error);
    if (error instanceof Stopped) return; // it is chosen again when the network is loaded
    if (waiting === file) waiting = undefined;
    await lookAgain().catch(complain);
  }
}

/** @param {ImageBitmap} bitmap @param {{photo: number, encoder: number}} ms @param {number} runs */
function showPhoto(bitmap, ms, runs) {
  const old = panes[0].photo;
  const name = camera.isOn ? 'Live picture with its labels' : 'Photo, not labelled yet';
  for (const pane of panes) {
    pane.setPhoto(bitmap);
    pane.canvas.setAttribute('aria-label', name);
  }
  seen = bitmap;
  allowSaving();
  if (old !== bitmap) old?.close();
  find('welcome').hidden = true;
  for (const id of ['panes', 'tools', 'panel']) find(id).hidden = false;
  find('ms-photo').textContent = milliseconds(ms.photo);
  find('ms-encoder').textContent = milliseconds(ms.encoder);
  find('ms-encoder').dataset.runs = `${runs}`;
}

/** Asks for the label map of a pane's slider; where others are asked for meanwhile, for the last alone. @param {Pane} pane */
async function label(pane) {
  if (!pane.photo || camera.isOn || work.dataset.state !== 'ready') return;
  const photo = pane.photo;
  const isWanted = () => pane.photo === photo && !camera.isOn;
  const size = pane.wanted;
  const onBand = (/** @type {any} */ part) => {
    if (!isWanted() || pane.wanted.rows !== size.rows) return;
    pane.setBand(part);
    allowSaving();
  };
  pane.figure.ariaBusy = 'true';
  pane.questions++;
  const answer = await engine.labels(pane.id, size, onBand).finally(() => {
    pane.questions--;
    pane.figure.ariaBusy = `${pane.questions > 0}`;
  });
  if (answer.outdated || !isWanted()) return;
  showLabels(pane, answer, answer.ms);
  find('ms-encoder').dataset.runs = `${answer.runs}`;
  describe(pane);
}

/** @param {Pane} pane @param {any} answer @param {number} ms of the decoder */
function showLabels(pane, { labels, rows, columns }, ms) {
  pane.setLabels(labels, { rows, columns }, ms);
  allowSaving();
  if (pane.id === 0) {
    legend.setShares(shares(labels, model.class_names.length));
    find('ms-decoder').textContent = milliseconds(ms);
    find('decoder-size').textContent = `at ${sizeText(rows, columns)}`;
  }
}

/** What is saved is whole, and by the whole network: not the labels of a frame by that for a small square. */
function allowSaving() {
  const isAllowed = panes[0].isWhole && panes[0].photo === seen;
  document.querySelectorAll('[data-do^=save]').forEach((/** @type {any} */ button) => (button.disabled = !isAllowed));
}

/** Says in words what the picture shows. @param {Pane} pane */
function describe(pane) {
  const { rows, columns } = pane.size;
  const found = shares(/** @type {Uint8Array} */ (pane.labels), model.class_names.length);
  const parts = found.flatMap((share, i) => (share ? [`${spoken(model.class_names[i])} ${percent(share)}`] : []));
  pane.canvas.setAttribute('aria-label', `Photo with its labels, ${columns} by ${rows}: ${parts.join(', ')}`);
  say(`Labelled in ${sizeText(rows, columns)}.`);
}

// ---------------------------------------------------------------------------------------------- camera

/** @param {number} width @param {number} height @param {import('./pace.js').Pace} pace */
function liveSize(width, height, pace) {
  const { side, step } = pace.next(width, height, isSized ? Number(panes[0].slider.value) : undefined);
  return { side, ...labelSize(width, height, longestSide(step)) };
}

/** @param {import('./camera.js').Frame} frame @param {number | undefined} perSecond */
function showFrame(frame, perSecond) {
  if (!isSized) panes[0].step = stepOf(Math.max(frame.rows, frame.columns));
  showPhoto(frame.bitmap, frame.ms, frame.runs);
  seen = undefined; // as a photo
  find('encoder-size').textContent = `sees ${sizeText(frame.side, frame.side)}`;
  showLabels(panes[0], frame, frame.ms.decoder);
  const pace = `${perSecond?.toFixed(1) ?? '–'} frames/s`;
  find('fps').textContent = pace;
  panes[0].ms.textContent += ` · ${pace}`;
}

/** @param {boolean} isLive */
function setLive(isLive) {
  const isOver = work.dataset.live === 'true' && !isLive;
  if (isOver && !isSized) panes[0].step = initialStep; // no longer what live video has time for
  work.dataset.live = `${isLive}`;
  look.smoothing = isLive ? 'low' : 'high'; // a third of the time
  find('fps-row').hidden = !isLive;
  if (!isLive) find('encoder-size').textContent = 'once a photo';
  document.querySelectorAll('[data-do=freeze]').forEach((/** @type {any} */ button) => (button.hidden = !isLive));
  document.querySelectorAll('[data-do=compare], [data-do^=save], #camera-button').forEach((/** @type {any} */ button) => (button.hidden = isLive));
}

async function film() {
  if (work.dataset.state === 'failed') return complain(new PhotoError(NOT_LOADED));
  if (work.dataset.state === 'loading') return say('The camera can be used as soon as the network is loaded.');
  forgive();
  try {
    say('Asking for the camera…');
    await camera.start(() => {
      compare(false);
      isSized = false;
      setLive(true);
      say('Live: the sizes follow what this machine can do.');
      stem = 'camera';
    });
  } catch (error) {
    complain(error);
  } finally {
    setLive(camera.isOn);
  }
  await lookAgain(); // at the last frame, as at any photo
}

// ---------------------------------------------------------------------------------------- what is done

/** @param {boolean} isOn */
function compare(isOn) {
  panes[1].figure.hidden = !isOn;
  find('panes').classList.toggle('two', isOn);
  document.querySelector('[data-do=compare]')?.setAttribute('aria-pressed', `${isOn}`);
  if (isOn) label(panes[1]).catch(complain);
}

/** Points at a pixel, in all panes. @param {Pane} pane @param {import('./pane.js').Cell | undefined} cell */
function point(pane, cell) {
  if (!cell) {
    panes.forEach((one) => ((one.cell = undefined), one.draw()));
    return readout.clear();
  }
  const { x, y } = pane.centre(cell);
  panes.forEach((one) => ((one.cell = one.labels && one.cellOf(x, y)), one.draw()));
  readout.ask({ x, y });
}

/** @param {Pane} pane */
function wire(pane) {
  pane.slider.addEventListener('input', () => {
    isSized = true;
    pane.step = Number(pane.slider.value);
    label(pane).catch(complain);
  });
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

/** @type {Record<string, () => unknown>} */
const deeds = {
  choose: () => find('file').click(),
  camera: film,
  freeze: () => camera.stop(),
  compare: () => compare(panes[1].figure.hidden),
  'save-overlay': () => saveOverlay(panes[0], stem),
  'save-labels': () => saveLabels(panes[0], stem),
  all: () => legend.showAll(true),
  none: () => legend.showAll(false),
};

document.addEventListener('click', (event) => {
  const name = /** @type {HTMLElement} */ (event.target).closest?.('[data-do]')?.getAttribute('data-do');
  if (name) Promise.resolve(deeds[name]()).catch(complain);
});
find('file').addEventListener('change', () => {
  const [file] = find('file').files;
  find('file').value = ''; // so that the same one can be chosen again
  if (file) choose(file);
});
find('alert-close').addEventListener('click', forgive);
find('opacity').addEventListener('input', () => {
  look.opacity = Number(find('opacity').value) / 100;
  find('opacity-value').textContent = `${find('opacity').value} %`;
  panes.forEach((pane) => pane.draw());
});
find('outlines').addEventListener('change', () => {
  look.outlines = find('outlines').checked;
  panes.forEach((pane) => pane.repaint());
});
find('device').addEventListener('change', () => changeDevice().catch(onFailure));
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

start().catch(onFailure);
