// The thread that computes, so that the page never stands still. Each message has an id and gets one answer.

import { AnySizeNetwork } from './any_size_network.js';
import { CanvasNetwork } from './canvas_network.js';
import { PhotoError, decode } from './photo.js';
import { Runtime } from './runtime.js';

/** By how it sees a photo. @type {Record<string, any>} */
const NETWORKS = { square: AnySizeNetwork, canvas: CanvasNetwork };
/** @type {any} one of them */
let network;
/** @type {Record<string, number>} the newest label map that each pane asked for */
const newest = {};
let photo = 0; // number of the one that the encoder saw last
let newestPhoto = 0; // id of the message that brought the last

const { port1, port2 } = new MessageChannel();
/** Lets messages in: what is computed on this thread lets none in by itself. */
const breathe = () =>
  new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });

/** @type {Record<string, (question: any, report: (progress: object) => void) => Promise<any>>} */
const actions = {
  async load({ device, model }, report) {
    const { runtime, files } = await Runtime.load(device, model, (loaded, total) => report({ loaded, total }));
    network = new NETWORKS[model.framing](runtime, files, model);
    await network.prepare();
    return { threads: runtime.threads };
  },

  /** Compares the labels of a drawn face with those that Python gave it. */
  async check({ face }) {
    const { check } = network.model;
    const bitmap = await createImageBitmap(face, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
    await network.look(bitmap);
    await network.sampled(check.size); // the first time, much is prepared
    const start = performance.now();
    const labels = await network.sampled(check.size);
    const perPixel = (performance.now() - start) / check.size ** 2;
    const right = Uint8Array.from(atob(check.labels), (character) => character.charCodeAt(0));
    return { equal: right.filter((label, i) => label === labels[i]).length, total: right.length, perPixel };
  },

  /** A photo: what all sizes share of it is computed once, here. */
  async photo({ id, file, bitmap }) {
    newestPhoto = id;
    const start = performance.now();
    bitmap ??= await decode(file);
    if (newestPhoto !== id) return { outdated: true };
    const decoded = performance.now() - start;
    const { ms, windows } = await network.look(bitmap);
    photo++;
    return { bitmap, windows, ms: { ...ms, photo: decoded + ms.photo }, runs: network.runs };
  },

  async labels({ id, pane, rows, columns }, report) {
    newest[pane] = id;
    await breathe();
    const of = photo;
    const isNewest = () => newest[pane] === id && photo === of;
    if (!isNewest()) return { outdated: true };
    const start = performance.now();
    let sent = 0;
    const goOn = async (/** @type {Uint8Array} */ made, /** @type {number} */ end) => {
      report({ band: made.slice(sent * columns, end * columns), top: sent, rows, columns });
      sent = end;
      await breathe();
      return isNewest();
    };
    const labels = await network.labels(rows, columns, goOn);
    if (!labels || !isNewest()) return { outdated: true };
    return { labels, rows, columns, ms: performance.now() - start, runs: network.runs };
  },

  /** Probabilities of the classes at one point. */
  async point({ y, x }) {
    return { probabilities: await network.probabilities(y, x) };
  },

  /** A frame of the camera: all of it at once. */
  async frame({ id, pixels, seen, rows, columns }) {
    newestPhoto = id;
    const isFirst = await network.prepareFrames(seen); // takes no time but the first one
    const start = performance.now();
    const windows = await network.encode(pixels, seen);
    photo++;
    const encoded = performance.now();
    const labels = await network.labels(rows, columns);
    const ms = { encoder: encoded - start, decoder: performance.now() - encoded };
    return { labels, windows, ms, runs: network.runs, isFirst };
  },
};

self.onmessage = async ({ data }) => {
  const report = (/** @type {object} */ progress) => self.postMessage({ id: data.id, progress });
  try {
    const answer = await actions[data.action](data, report);
    const transferred = [answer.bitmap, answer.labels?.buffer].filter(Boolean);
    self.postMessage({ id: data.id, answer }, { transfer: transferred });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    self.postMessage({ id: data.id, error: text, isOfPhoto: error instanceof PhotoError });
  }
};
