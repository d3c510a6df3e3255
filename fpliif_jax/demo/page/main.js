// The page: what is on it and what happens when somebody does something.

import { Camera } from './camera.js';
import { DEVICES, hasGpu } from './devices.js';
import { find, showAbilities } from './dom.js';
import { Engine, Stopped } from './engine.js';
import { takePhotos } from './incoming.js';
import { introduce } from './introduction.js';
import { shares } from './labels.js';
import { Legend, percent } from './legend.js';
import { sayPace, setLive } from './live.js';
import { firstStep, onProgress } from './loading.js';
import { letLook } from './look.js';
import { complain, forgive, say } from './messages.js';
import { prepare } from './offline.js';
import { Pane, milliseconds } from './pane.js';
import { PhotoError } from './photo.js';
import { letPoint } from './pointing.js';
import { Readout } from './readout.js';
import { saveLabels, saveOverlay } from './save.js';
import { sizeText, stepOf } from './sizes.js';

const FACES = 3;
const ENOUGH = 0.999; // of the labels of a drawn face that have to be Python's
const NOT_LOADED = 'The network could not be loaded. Load the page again.';

const work = find('work');
/** @type {import('./pane.js').Look} */
const look = { opacity: 0.6, outlines: true, windows: true, hidden: new Set(), smoothing: 'high' };
/** @type {any} */
let model;
/** @type {Engine} */
let engine;
/** @type {Pane[]} */
let panes = [];
/** @type {Legend} */
let legend;
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
const can = (/** @type {string} */ ability) => model.can.includes(ability);

// -------------------------------------------------------------------------------------------- loading

/**
 * Loads the network and compares it with Python.
 * @param {import('./runtime.js').Device} device
 * @param {import('./runtime.js').Device} [spare] where that fails: offline, or by a graphics chip
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

async function start() {
  if (await prepare()) return;
  const [answer, gpu, ...blobs] = await Promise.all([
    fetch('model/model.json').then((response) => response.json()),
    hasGpu(),
    ...Array.from({ length: FACES }, (_, i) => fetch(`faces/${i}.png`).then((response) => response.blob())),
  ]);
  model = answer;
  showAbilities(model.can);
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
  showPhoto(answer);
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
  for (const pane of panes) {
    pane.sizing.listen(() => {
      isSized = true;
      pane.step = pane.sizing.step;
      label(pane).catch(complain);
    });
  }
  find('panes').append(...panes.map((pane) => pane.figure));
  legend = new Legend(find('legend'), model, look.hidden, () => panes.forEach((pane) => pane.repaint()));
  letPoint(panes, new Readout(find('readout'), model, engine));
  introduce(model, faces, choose);
  letLook(look, panes);
  camera = new Camera(engine, (frame, pace) => panes[0].sizing.ofFrame(frame, pace, isSized), showFrame);
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
    const answer = await engine.photo({ file });
    if (waiting === file) waiting = undefined;
    if (answer.outdated) return;
    stem = 'name' in file ? String(file.name).replace(/\.\w+$/, '').slice(0, 80) || 'photo' : 'photo';
    showPhoto(answer);
    await Promise.all(shown().map(label));
  } catch (error) {
    complain(error);
    if (error instanceof Stopped) return; // it is chosen again when the network is loaded
    if (waiting === file) waiting = undefined;
    await lookAgain().catch(complain);
  }
}

/** @param {any} answer what the network says of a photo, or a frame that it has not seen */
function showPhoto({ bitmap, windows, ms, runs }) {
  const old = panes[0].photo;
  const name = camera.isOn ? 'Live picture with its labels' : 'Photo, not labelled yet';
  for (const pane of panes) {
    pane.setPhoto(bitmap, windows);
    pane.canvas.setAttribute('aria-label', name);
  }
  seen = bitmap;
  allowSaving();
  if (old !== bitmap) old?.close();
  find('welcome').hidden = true;
  for (const id of ['panes', 'tools', 'panel']) find(id).hidden = false;
  if (!ms) return;
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
  pane.setLabels(labels, { rows, columns }, can('sizes') ? ms : undefined); // else they are there with the photo
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
  const parts = found.flatMap((share, i) => (share ? [`${model.class_titles[i]} ${percent(share)}`] : []));
  pane.canvas.setAttribute('aria-label', `Photo with its labels, ${columns} by ${rows}: ${parts.join(', ')}`);
  say(`Labelled in ${sizeText(rows, columns)}.`);
}

// ---------------------------------------------------------------------------------------------- camera

/** @param {import('./camera.js').Frame} frame @param {number | undefined} perSecond */
function showFrame(frame, perSecond) {
  if (!isSized) panes[0].step = stepOf(Math.max(frame.rows, frame.columns));
  showPhoto(frame);
  seen = undefined; // as a photo
  showLabels(panes[0], frame, frame.ms.decoder);
  panes[0].ms.textContent = [panes[0].ms.textContent, sayPace(frame, perSecond)].filter(Boolean).join(' · ');
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
      setLive(true, look);
      const follows = can('sizes') ? 'the sizes follow' : 'the number of frames follows';
      say(`Live: ${follows} what this machine can do.`);
      stem = 'camera';
    });
  } catch (error) {
    complain(error);
  } finally {
    const isOver = work.dataset.live === 'true' && !camera.isOn;
    if (isOver && !isSized) panes[0].step = initialStep; // no longer what live video has time for
    setLive(camera.isOn, look);
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
find('alert-close').addEventListener('click', forgive);
find('device').addEventListener('change', () => changeDevice().catch(onFailure));
takePhotos(choose, complain);
start().catch(onFailure);
