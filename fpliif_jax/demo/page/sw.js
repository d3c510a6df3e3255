// The service worker: the page without a network, and with the headers that a plain static server does not send.

/* global PAGE */
importScripts('files.js');

const PREFIX = `fpliif-demo ${self.registration.scope} `; // others may have caches at the same address
const CACHE = PREFIX + PAGE.version;
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': PAGE.policy,
};

/** Of the page's files, the path of the one that a request is for. @param {Request} request */
function pathOf(request) {
  if (!request.url.startsWith(self.registration.scope)) return undefined;
  const path = request.url.slice(self.registration.scope.length).replace(/[?#].*/, '') || 'index.html';
  return [...PAGE.small, ...PAGE.large].includes(path) ? path : undefined;
}

/** @param {Response} response */
function withHeaders(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** From the cache; what is large is kept when it is fetched first. @param {any} event @param {string} path */
async function answer(event, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  if (kept) return withHeaders(kept);
  const fetched = await fetch(path, { cache: 'no-cache' });
  if (fetched.ok) event.waitUntil(cache.put(path, fetched.clone()).catch(() => {})); // works unkept, too
  return withHeaders(fetched);
}

self.addEventListener('install', (event) => {
  const requests = PAGE.small.map((/** @type {string} */ path) => new Request(path, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
  self.skipWaiting();
});

self.addEventListener('activate', (event) => {
  const clean = async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(names.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener('fetch', (event) => {
  const path = event.request.method === 'GET' ? pathOf(event.request) : undefined;
  if (path) event.respondWith(answer(event, path));
});
