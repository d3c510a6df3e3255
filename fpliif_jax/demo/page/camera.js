// The camera's picture, labelled frame by frame.

import { Pace } from './pace.js';
import { PhotoError, frameInput } from './photo.js';

/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: 'The browser was not allowed to use the camera. Its settings for this page can allow it.',
  NotFoundError: 'There is no camera here.',
  NotReadableError: 'The camera is in use by another program.',
};
const LOST = 'The camera is gone: it was unplugged, or the browser is not allowed to use it any more.';

/** @param {MediaStream} stream */
const turnOff = (stream) => stream.getTracks().forEach((track) => track.stop());

const MOST_WAITING = 1000; // ms for the camera's next picture

/** @typedef {import('./size_choice.js').FrameSize} FrameSize */
/** @typedef {FrameSize & {bitmap: ImageBitmap, labels: Uint8Array, windows: import('./windows.js').Window[], ms: any, runs: number}} Frame */

export class Camera {
  /**
   * @param {import('./engine.js').Engine} engine
   * @param {(frame: ImageBitmap, pace: Pace) => FrameSize} sizeOf
   * @param {(frame: Frame, perSecond: number | undefined) => void} onFrame
   */
  constructor(engine, sizeOf, onFrame) {
    this.engine = engine;
    this.sizeOf = sizeOf;
    this.onFrame = onFrame;
    this.video = document.createElement('video');
    Object.assign(this.video, { playsInline: true, muted: true });
    /** @type {MediaStream | undefined} */
    this.stream = undefined;
    /** @type {{isLost: boolean} | undefined} from `start` to `stop`, another one every time */
    this.attempt = undefined;
    this.wasHidden = false; // the page, since the last frame
    document.addEventListener('visibilitychange', () => (this.wasHidden = true));
  }

  get isOn() {
    return this.stream !== undefined;
  }

  /**
   * Begins, unless it has; ends when `stop` is called, before the camera is there as well.
   * Throws PhotoError where there is no camera to be had, or no longer.
   * @param {() => void} onStart is called when the camera is on
   */
  async start(onStart) {
    if (this.attempt) return;
    if (!navigator.mediaDevices) throw new PhotoError('The camera needs a page that comes by https, or from this machine.');
    const attempt = (this.attempt = { isLost: false });
    await this.#film(attempt, onStart);
    if (attempt.isLost) throw new PhotoError(LOST);
  }

  /** Ends after the frame that is being labelled: it is the photo from then on. */
  async stop() {
    this.#end();
    await this.loop?.catch(() => {});
  }

  /** @param {{isLost: boolean}} attempt the one that lasts until it is no longer the camera's @param {() => void} onStart */
  async #film(attempt, onStart) {
    try {
      const wanted = { facingMode: 'user', width: { ideal: 640 }, height: { ideal: 480 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (this.attempt !== attempt) return turnOff(stream);
      const onEnd = () => {
        if (this.attempt !== attempt) return;
        attempt.isLost = true;
        this.#end();
      };
      stream.getTracks().forEach((track) => track.addEventListener('ended', onEnd)); // not by `stop`
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

  /** Shows frames with their labels, each once; those that come while one is being labelled are left out. @param {object} attempt */
  async #run(attempt) {
    const pace = new Pace(this.engine.model.sides);
    /** @type {ImageBitmap | undefined} of the frame that is being labelled */
    let bitmap;
    /** @type {Frame | undefined} the last that is labelled, until it is shown */
    let ready;
    const show = () => {
      const frame = ready;
      ready = undefined;
      if (frame) this.onFrame(frame, pace.perSecond);
    };
    this.wasHidden = document.hidden;
    try {
      for (let last = performance.now(), taken = -1; ; ) {
        if (this.video.currentTime === taken) show(); // there is time for it
        const before = performance.now();
        let waiting = 0;
        // A browser whose clock of a camera stands still has the same picture labelled again.
        while (this.attempt === attempt && this.video.currentTime === taken && waiting < MOST_WAITING) {
          await new Promise(requestAnimationFrame);
          waiting = performance.now() - before;
        }
        if (this.attempt !== attempt) break;
        taken = this.video.currentTime;
        bitmap = await createImageBitmap(this.video);
        const size = this.sizeOf(bitmap, pace);
        // Resized here: the thread that computes would have to wait for this one, which draws, at every canvas.
        const start = performance.now();
        const pixels = frameInput(bitmap, size.seen);
        const photo = performance.now() - start;
        const next = this.engine.frame(pixels, size);
        show(); // while the next one is being labelled
        const [answer] = await Promise.all([next, new Promise(requestAnimationFrame)]);
        ready = { ...answer, ...size, bitmap, ms: { photo, ...answer.ms } };
        bitmap = undefined;
        const now = performance.now();
        const { encoder, decoder } = answer.ms;
        const times = { waiting, overhead: now - last - waiting - encoder - decoder, encoder, decoder };
        // Networks are made once, and a page that is hidden draws nothing: neither tells what the next frame takes.
        if (!answer.isFirst && !this.wasHidden) pace.measured(times, size.seen.rows, size.rows * size.columns);
        this.wasHidden = document.hidden;
        last = now;
      }
      show();
    } finally {
      bitmap?.close();
      ready?.bitmap.close();
    }
  }

  #end() {
    if (this.stream) turnOff(this.stream);
    this.stream = this.attempt = undefined;
    this.video.srcObject = null;
  }
}
