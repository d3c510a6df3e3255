// Makes the page ready to be used without a network, and lets it use several threads on servers that send no headers.

const PATIENCE = 8000; // ms: without all this the page works, too
const RELOADED = 'fpliif-demo-reloaded';

/** @param {number} ms @returns {Promise<void>} */
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {ServiceWorkerRegistration} registration */
async function activated(registration) {
  const worker = registration.installing ?? registration.waiting;
  if (!worker) return false;
  await new Promise((resolve) => {
    worker.addEventListener('statechange', () => ['activated', 'redundant'].includes(worker.state) && resolve(null));
  });
  return worker.state === 'activated';
}

/**
 * Prepares, before anything else is loaded.
 * @returns {Promise<boolean>} whether the page is being loaded again, by the service worker of its newest version
 */
export async function prepare() {
  if (!('serviceWorker' in navigator)) return false;
  const work = async () => {
    const wasControlled = Boolean(navigator.serviceWorker.controller);
    const registration = await navigator.serviceWorker.register('sw.js', { updateViaCache: 'none' });
    if (wasControlled && navigator.onLine) await registration.update().catch(() => {});
    const isNew = await activated(registration);
    if (!navigator.serviceWorker.controller) await after(100); // it claims the page
    const isOutdated = wasControlled && isNew;
    return isOutdated || (!self.crossOriginIsolated && Boolean(navigator.serviceWorker.controller));
  };
  const isToReload = await Promise.race([work().catch(() => false), after(PATIENCE).then(() => false)]);
  if (!isToReload || sessionStorage.getItem(RELOADED)) {
    sessionStorage.removeItem(RELOADED);
    return false;
  }
  sessionStorage.setItem(RELOADED, 'yes'); // once
  location.reload();
  return true;
}
