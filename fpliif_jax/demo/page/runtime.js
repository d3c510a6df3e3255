// onnxruntime-web and the files of the networks, as they are loaded; a session runs once at a time.

const MODULES = { cpu: './runtime/ort.wasm.min.mjs', gpu: './runtime/ort.webgpu.min.mjs' };
const BINARIES = {
  cpu: 'runtime/ort-wasm-simd-threaded.wasm',
  gpu: 'runtime/ort-wasm-simd-threaded.asyncify.wasm',
};

/** @typedef {'cpu' | 'gpu'} Device */
/** @typedef {(loaded: number, total: number) => void} Progress bytes */

/** @param {string} path @param {(bytes: number) => void} onBytes @returns {Promise<Uint8Array>} */
async function download(path, onBytes) {
  const response = await fetch(path);
  if (!response.ok || !response.body) throw new Error(`${path}: ${response.status}`);
  const parts = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    parts.push(read.value);
    length += read.value.length;
    onBytes(read.value.length);
  }
  const whole = new Uint8Array(length);
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** The runtime on one device. */
export class Runtime {
  /** @param {any} ort @param {any} options of a session */
  constructor(ort, options) {
    this.ort = ort;
    this.options = options;
    this.last = Promise.resolve();
  }

  /**
   * @param {Device} device @param {any} model what model.json says @param {Progress} onProgress
   * @returns {Promise<{runtime: Runtime, files: Uint8Array[][]}>} and the networks' files, as the model lists them
   */
  static async load(device, model, onProgress) {
    const paths = [BINARIES[device], ...model.networks.flat()];
    const total = paths.reduce((sum, path) => sum + model.bytes[path], 0);
    let loaded = 0;
    const count = (/** @type {number} */ bytes) => onProgress((loaded += bytes), total);
    const ort = await import(MODULES[device]);
    const [binary, ...bytes] = await Promise.all(paths.map((path) => download(path, count)));
    ort.env.wasm.wasmBinary = binary;
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, model.threads) : 1;
    ort.env.logLevel = 'error';
    const options = { executionProviders: [device === 'gpu' ? 'webgpu' : 'wasm'], logSeverityLevel: 3 };
    const files = model.networks.map((/** @type {string[]} */ names) => bytes.splice(0, names.length));
    return { runtime: new Runtime(ort, options), files };
  }

  get threads() {
    return this.ort.env.wasm.numThreads;
  }

  /** @param {Uint8Array} file @returns {Promise<any>} */
  session(file) {
    return this.ort.InferenceSession.create(file, this.options);
  }

  /** @param {'uint8' | 'int32' | 'float32'} type @param {any} data @param {number[]} shape */
  tensor(type, data, shape) {
    return new this.ort.Tensor(type, data, shape);
  }

  /** @param {any} session @param {any} feeds @returns {Promise<any>} */
  run(session, feeds) {
    const result = this.last.then(() => session.run(feeds));
    this.last = result.catch(() => {});
    return result;
  }
}
