"""Line-based files that stay readable when the writer is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from savant_reid.errors import OutputError

FLUSH_NS = 1_000_000_000
# Keeps the memory flat when many cameras share a second.
FLUSH_BYTES = 1 << 20


class LineFile:
    """Gathers lines and hands them to the system together, at least once a second of stream time.

    What was handed over survives SIGKILL of this process; lines leave whole, so that only a full disk or a power
    cut can leave half a line behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[str] = []
        self._pending_bytes = 0
        self._flushed_ns: int | None = None
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - lives as long as the sink
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error

    def write(self, line: str, time_ns: int) -> None:
        """line: without its newline. time_ns: stream time, only used to know when a second has gone by."""
        self._pending.append(line)
        self._pending_bytes += len(line)
        self.tick(time_ns)

    def tick(self, time_ns: int) -> None:
        """Time goes by without a line to write."""
        if self._flushed_ns is None:
            self._flushed_ns = time_ns
        # abs: a camera whose clock jumps back must not hold the lines until the clock has caught up.
        if abs(time_ns - self._flushed_ns) >= FLUSH_NS or self._pending_bytes >= FLUSH_BYTES:
            self.flush()
            self._flushed_ns = time_ns

    def flush(self) -> None:
        if not self._pending:
            return
        block = memoryview(("\n".join(self._pending) + "\n").encode())
        try:
            while block:
                block = block[self._file.write(block) :]
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        self._pending.clear()
        self._pending_bytes = 0

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; lines that are not whole (a run that was killed) are passed over."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value
