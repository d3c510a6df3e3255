"""The page on this machine: a static server with the headers that a page with threads needs."""

import errno
import http
import http.server
import pathlib
import re
import socketserver
import sys
import urllib.parse
from typing import Any

from fpliif_jax.demo.page_folder import PageError

HOST = "127.0.0.1"
# Browsers run no module of another type, and no WebAssembly as a stream.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
_HEADERS = {
    # Together they make the page cross-origin isolated, without which there is no shared memory and so one thread.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Answers with the files of `folder`, which is set before it serves."""

    daemon_threads = True  # an open connection does not keep Ctrl-C waiting
    folder: pathlib.Path

    def handle_error(self, request: Any, client_address: object) -> None:
        """Passes over browsers that have gone; tells of all else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def policy_of(page: str) -> str:
    """The Content-Security-Policy that a page's HTML states.

    Raises:
      PageError: it states none.
    """
    match = _POLICY.search(page)
    if match is None:
        raise PageError("the page states no Content-Security-Policy: install fpliif_jax anew")
    return match[1]


def listen(port: int) -> Server:
    """Takes a port of this machine, 0 for any free one.

    Raises:
      PageError: it is in use or may not be taken.
    """
    try:
        return Server((HOST, port), _Handler)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "in use" if in_use else (error.strerror or error)
        raise PageError(f"port {port} is {reason}: name another, as --serve=8001") from error


def address(server: Server) -> str:
    """Where a browser on this machine finds the page."""
    return f"http://{HOST}:{server.server_address[1]}/"


def serve(server: Server, folder: pathlib.Path) -> None:
    """Answers until Ctrl-C or SIGTERM, each a KeyboardInterrupt; says where first."""
    server.folder = folder
    print(f"{address(server)}  (Ctrl-C ends it)", flush=True)
    server.serve_forever()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server  # pyrefly: ignore[bad-override-mutable-attribute] - as `listen` makes it
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fpliif_jax", ""
    timeout = 60  # seconds of a silent connection

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the terminal has the address to show."""

    def _answer(self, with_body: bool) -> None:
        path = self._file()
        if path is None:
            self._send(http.HTTPStatus.NOT_FOUND, TYPES[".txt"], b"not found\n", with_body)
        else:
            kind = TYPES.get(path.suffix, "application/octet-stream")
            self._send(http.HTTPStatus.OK, kind, path.read_bytes(), with_body)

    def _file(self) -> pathlib.Path | None:
        """The file that is asked for, if it is one of the page and was asked for from this machine."""
        # A name of somebody else's that leads to this address (DNS rebinding) is not answered.
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (HOST, "localhost", "[::1]"):
            return None
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        files = {
            path.relative_to(self.server.folder).as_posix(): path
            for path in self.server.folder.rglob("*")
            if path.is_file()
        }
        return files.get(name or "index.html")

    def _send(self, status: http.HTTPStatus, kind: str, body: bytes, with_body: bool) -> None:
        self.send_response(status)
        page = self.server.folder / "index.html"
        headers = {
            **_HEADERS,
            "Content-Security-Policy": policy_of(page.read_text(encoding="utf-8")),
            "Content-Type": kind,
            "Content-Length": str(len(body)),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)
