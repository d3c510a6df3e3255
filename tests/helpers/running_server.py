"""A server that answers while a test asks it."""

import http.server
import threading
from collections.abc import Iterator


def running(server: http.server.HTTPServer) -> Iterator[http.server.HTTPServer]:
    """The server, in a thread of its own until the iterator is asked again."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
