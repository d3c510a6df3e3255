// The camera's picture, labelled frame by frame.

import { Pace } from './pace.js';
import { PhotoError } from './photo.js';

/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: 'The browser was not allowed to use the camera. Its settings for this page can allow it.',
  NotFoundError: 'There is no camera here.',
  NotReadableError: 'The camera is in use by another program.',
};
const MEMORY = 0.8; // weight of the frames before in the frame rate

/** @param {MediaStream} stream */
const turnOff = (stream) => stream.getTracks().forEach((track) => track.stop());

/** @typedef {{bitmap: ImageBitmap, labels: Uint8Array, rows: number, columns: number, ms: any, runs: number}} Frame */

export class Camera {
  /**
   * @param {import('./engine.js').Engine} engine
   * @param {(width: number, height: number, pace: Pace) => {rows: number, columns: number}} sizeOf a frame's label map
   * @param {(frame: Frame, perSecond: number) => void} onFrame
   */
  constructor(engine, sizeOf, onFrame) {
    this.engine = engine;
    this.sizeOf = sizeOf;
    this.onFrame = onFrame;
    this.video = document.createElement('video');
    Object.assign(this.video, { playsInline: true, muted: true });
    /** @type {MediaStream | undefined} */
    this.stream = undefined;
    /** @type {object | undefined} from `start` to `stop`, another one every time */
    this.attempt = undefined;
  }

  get isOn() {
    return this.stream !== undefined;
  }

  /**
   * Begins, unless it has; ends when `stop` is called, before the camera is there as well.
   * Throws PhotoError where there is no camera to be had.
   * @param {() => void} onStart is called when the camera is on
   */
  async start(onStart) {
    if (this.attempt) return;
    const devices = navigator.mediaDevices;
    if (!devices) throw new PhotoError('The camera needs a page that comes by https, or from this machine.');
    const attempt = (this.attempt = {});
    try {
      const wanted = { facingMode: 'user', width: { ideal: 640 }, height: { ideal: 480 } };
      const stream = await devices.getUserMedia({ video: wanted, audio: false });
      if (this.attempt !== attempt) return turnOff(stream);
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (this.attempt !== attempt) return;
      this.#end();
      const name = /** @type {DOMException} */ (error).name;
      throw new PhotoError(REASONS[name] ?? `The camera cannot be used (${name}).`);
    }
    if (this.attempt !== attempt) return;
    onStart();
    this.loop = this.#run(attempt).finally(() => this.attempt === attempt && this.#end());
    await this.loop;
  }

  /** Ends after the frame that is being labelled: it is the photo from then on. */
  async stop() {
    this.#end();
    await this.loop?.catch(() => {});
  }

  /** @param {object} attempt the one that lasts until it is no longer the camera's */
  async #run(attempt) {
    const pace = new Pace();
    let last = performance.now();
    let interval = 0;
    while (this.attempt === attempt) {
      const bitmap = await createImageBitmap(this.video);
      const size = this.sizeOf(bitmap.width, bitmap.height, pace);
      const frame = await this.engine.frame(bitmap, size);
      const now = performance.now();
      interval = interval ? MEMORY * interval + (1 - MEMORY) * (now - last) : now - last;
      pace.measured(now - last - frame.ms.decoder, frame.ms.decoder, size.rows * size.columns);
      last = now;
      this.onFrame(frame, 1000 / interval);
      await new Promise(requestAnimationFrame);
    }
  }

  #end() {
    if (this.stream) turnOff(this.stream);
    this.stream = this.attempt = undefined;
    this.video.srcObject = null;
  }
}
