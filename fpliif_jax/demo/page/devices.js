// What the network can run on.

/** @type {Record<string, string>} */
export const DEVICES = { cpu: 'The processor', gpu: 'The graphics chip' };

/** Whether there is a graphics chip that is not one in software. */
export async function hasGpu() {
  try {
    const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}
