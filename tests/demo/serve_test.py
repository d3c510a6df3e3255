"""The server of the page: its headers, its types, and nothing but the page."""

import http.client
import pathlib
import socket
import struct
from collections.abc import Iterator

import pytest
from running_server import running

from fpliif_jax.demo import build_page, serve
from fpliif_jax.demo.page_folder import PageError

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[serve.Server]:
    folder = tmp_path / "page"
    (folder / "runtime").mkdir(parents=True)
    for name, content in build_page.page_files().items():
        (folder / name).write_bytes(content)
    (folder / "runtime" / "x.wasm").write_bytes(b"\0asm")
    (folder / "runtime" / "x.mjs").write_bytes(b"")
    (tmp_path / "secret.txt").write_text("of this machine")
    (folder / "model.onnx").write_bytes(b"")
    made = serve.listen(0)
    made.folder = folder
    yield from running(made)


def ask(
    server: serve.Server, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    content = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return content


def test_every_answer_isolates_the_page_and_bounds_what_it_may_do(server: serve.Server) -> None:
    for path in ("/", "/worker.js", "/runtime/x.wasm", "/nothing"):
        _, headers, _ = ask(server, path)
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = dict(
            rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
        assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
        assert not any(
            "http" in rule or "*" in rule or "unsafe-inline" in rule for rule in policy.values()
        )


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?x=1", "text/html; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/runtime/x.mjs", "text/javascript; charset=utf-8"),
        ("/runtime/x.wasm", "application/wasm"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/icon.svg", "image/svg+xml"),
        ("/model.onnx", "application/octet-stream"),
    ],
)
def test_types(server: serve.Server, path: str, kind: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, headers["Content-Type"]) == (200, kind)
    assert int(headers["Content-Length"]) == len(body)
    status, headers, body = ask(server, path, "HEAD")
    assert (status, headers["Content-Type"], body) == (200, kind, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/runtime/..%2f..%2fsecret.txt"),
        *("/runtime/", "/runtime", "//etc/passwd", "/%00", "/%ff"),
    ],
)
def test_nothing_but_the_page_s_files(server: serve.Server, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, body) == (404, b"not found\n")


def test_it_is_for_this_machine(server: serve.Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    port = server.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "[::1]:9000"):
        assert ask(server, "/", host=host)[0] == 200, host
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        assert ask(server, "/", host=host)[0] == 404, host


def test_a_browser_that_goes_away_is_no_error(
    server: serve.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (server.folder / "large.wasm").write_bytes(bytes(2**24))
    server.daemon_threads = False  # so that closing waits for what is being answered
    with socket.create_connection(server.server_address[:2], timeout=10) as connection:
        # Closed with a reset, while the answer is being written.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET /large.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(10)
    assert ask(server, "/")[0] == 200
    server.shutdown()
    server.server_close()
    assert capsys.readouterr().err == ""


def test_other_methods_are_refused(server: serve.Server) -> None:
    assert ask(server, "/", "POST")[0] == 501


def test_a_port_in_use_is_one_line(server: serve.Server) -> None:
    port = server.server_address[1]
    with pytest.raises(PageError, match=rf"^port {port} is in use: name another, as --serve=8001$"):
        serve.listen(port)
