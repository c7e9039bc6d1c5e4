"""A real HTTP server on this machine, with the faults of servers far away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What the server has, and how it misbehaves. asked: the Range header of each request, None where there was none.

    breaks_after: bytes after which the connection is cut. resumes: whether it knows ranges.
    """

    content: bytes
    breaks_after: int | None = None
    resumes: bool = True
    version: str = '"1"'
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(content: bytes) -> Iterator[Served]:
    """Serves `content` under any path on 127.0.0.1 until the block ends."""
    served = Served(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, served)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/weights%20v1.pth"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    asked = handler.headers.get("Range")
    served.asked.append(asked)
    if served.status != 200:
        handler.send_error(served.status)
        return
    start = 0
    if asked and served.resumes and handler.headers.get("If-Range", served.version) == served.version:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(served.content):
            handler.send_error(416)
            return
    body = served.content[start:]
    handler.send_response(206 if start else 200)
    handler.send_header("ETag", served.version)
    handler.send_header("Content-Length", str(len(body)))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
    handler.end_headers()
    handler.wfile.write(body[: served.breaks_after])
