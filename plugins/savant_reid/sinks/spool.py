"""Messages that wait on disk for a broker: a queue in one SQLite file that a killed process leaves whole."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from savant_reid.errors import OutputError

# What SQLite keeps beside a row's own bytes, about.
_ROW_BYTES = 48
# A frame of ten people has 2.3 kB: pages of 4 kB would hold one each.
_PAGE_BYTES = 16384
# An empty file above this is made small again; below, its pages are used again.
_LARGE_FILE_BYTES = 64 << 20
_SETUP = f"""
PRAGMA page_size = {_PAGE_BYTES};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 0;
CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY, id TEXT, key TEXT, value BLOB);
"""


class Message(NamedTuple):
    """id: the same for every repeat. key: by which the broker keeps the order. value: JSON as UTF-8, or protobuf."""

    id: str
    key: str
    value: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.id) + len(self.key) + len(self.value) + _ROW_BYTES


Numbered = tuple[int, Message]


class Spool:
    """Messages by number, which the caller gives. Safe for several threads.

    What `append` has taken survives SIGKILL of this process at once, and a power cut after the next `sync`. Only `sync`
    waits for the disk.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file with what waits there, or makes it. Raises OutputError where it cannot."""
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = _connect(path)
            self._syncing = _connect(path)
            row = self._one("SELECT count(*), sum(length(id) + length(key) + length(value)), max(number) FROM waiting")
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"{path}: cannot be used as a spool: {error}; with this file moved away, what waits in it is not sent"
            ) from error
        self.count: int = row[0]
        self.size_bytes: int = (row[1] or 0) + self.count * _ROW_BYTES
        self.last: int = -1 if row[2] is None else row[2]
        self._unsynced = False
        self._appended = False

    @property
    def has_new(self) -> bool:
        """Something waits that a power cut would take."""
        return self._appended and self.count > 0

    def append(self, messages: Sequence[Numbered]) -> None:
        """Raises sqlite3.Error when the disk is full; then none of them is there."""
        rows = [(number, message.id, message.key, message.value) for number, message in messages]
        with self._lock:
            self._change("INSERT INTO waiting VALUES (?, ?, ?, ?)", rows)
            self._appended = True
            self.count += len(rows)
            self.size_bytes += sum(message.size_bytes for _, message in messages)
            self.last = max([self.last, *(number for number, _ in messages)])

    def read(self, after: int, limit: int) -> list[Numbered]:
        """Up to `limit` messages with numbers above `after`, in their order."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, id, key, value FROM waiting WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()
        return [(number, Message(*rest)) for number, *rest in rows]

    def remove(self, messages: Iterable[Numbered]) -> None:
        """They must be there."""
        gone = list(messages)
        with self._lock:
            self._change("DELETE FROM waiting WHERE number = ?", [(number,) for number, _ in gone])
            self.count -= len(gone)
            self.size_bytes -= sum(message.size_bytes for _, message in gone)

    def sync(self) -> None:
        """Brings all to the disk, and keeps the files small. Others may append meanwhile. May raise sqlite3.Error."""
        if not self._unsynced:
            return
        self._unsynced = self._appended = False
        if self.count == 0 and self.path.stat().st_size > _LARGE_FILE_BYTES:
            with self._lock:
                self._connection.execute("VACUUM")
        self._syncing.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Removes the file where nothing waits. May be called twice."""
        with self._lock:
            self._syncing.close()
            self._connection.close()
        if self.count == 0:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _change(self, statement: str, rows: Sequence[tuple]) -> None:  # type: ignore[type-arg]
        self._unsynced = True
        with self._connection:  # commits, or takes all back
            self._connection.execute("BEGIN")
            self._connection.executemany(statement, rows)

    def _one(self, query: str) -> tuple:  # type: ignore[type-arg]
        return self._connection.execute(query).fetchone()  # type: ignore[no-any-return]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.executescript(_SETUP)
    return connection
