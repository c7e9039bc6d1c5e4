"""/metrics, /healthz and /readyz over HTTP, from a thread of its own."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from savant_reid.errors import OutputError
from savant_reid.monitoring.exposition import Exposition
from savant_reid.monitoring.health import Health, Verdict

log = logging.getLogger(__name__)

# Prometheus and a supervisor or two; beyond this the oldest connection goes.
MOST_CONNECTIONS = 32
# For somebody to say what they want, and to take the answer.
_PATIENCE_SECONDS = 5.0


class MetricsServer:
    """Answers from construction to `close`. address: http://HOST:PORT as it is bound."""

    def __init__(self, host: str, port: int, exposition: Exposition, health: Health) -> None:
        """port: 0 takes a free one. Raises OutputError where it cannot be had."""
        try:
            self._server = _Server(host, port, exposition, health)
        except OSError as error:
            raise OutputError(f"metrics at {host}:{port}: cannot be used: {error.strerror or error}") from error
        shown = f"[{host}]" if ":" in host else host
        self.port: int = self._server.server_address[1]
        self.address = f"http://{shown}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()
        log.info("metrics on %s/metrics", self.address)

    def close(self) -> None:
        """May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, exposition: Exposition, health: Health) -> None:
        self.exposition, self.health = exposition, health
        self._open: dict[Any, None] = {}
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection. One more than there may be ends the oldest: nobody can shut others out."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Somebody went away in the middle, or an answer could not be made: that is theirs to see."""
        log.debug("metrics: a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_SECONDS
    server_version = "savant-reid"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        health = self.server.health
        if path == "/metrics":
            self._answer(200, self.server.exposition.content_type, self.server.exposition.text())
        elif path == "/healthz":
            self._verdict(health.healthy())
        elif path == "/readyz":
            self._verdict(health.ready())
        else:
            self._answer(404, "text/plain; charset=utf-8", b"expected /metrics, /healthz or /readyz\n")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("metrics: " + format, *args)

    def _verdict(self, verdict: Verdict) -> None:
        body = json.dumps(self.server.health.to_json(verdict), ensure_ascii=False).encode()
        self._answer(200 if verdict.ok else 503, "application/json", body)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
