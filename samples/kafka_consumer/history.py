"""Who was where, as known by now: an SQLite database fed with the messages of a run, in whatever order topics come.

A frame says who people are at its moment; later events correct it: identities turn out to be one person (merged), or
a track to be somebody else (split). The database keeps what was said, and in `names` what it means by now. The view
`history` puts them together, and changes under its readers as events come.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from meanings import Event, Key, corrected, first_meanings

TABLES = Path(__file__).with_name("history.sql")
_NAMING = ("created", "enrolled", "confirmed")


class History:
    """Messages in, one transaction for each call. Repeats change nothing."""

    def __init__(self, path: str | Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(TABLES.read_text(encoding="utf-8"))

    def add(self, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """messages: (run, message); run is what the message's id has before its first slash."""
        with self.connection:
            self.connection.execute("BEGIN")
            for run, message in messages:
                if message["schema"] == "savant-reid/frame/1":
                    self._add_frame(run, message)
                elif message["schema"] == "savant-reid/identity/1":
                    self._add_event(run, message)

    def close(self) -> None:
        self.connection.close()

    def _add_frame(self, run: str, frame: Mapping[str, Any]) -> None:
        for row, one in enumerate(frame["objects"]):
            box, who = one["box"], one["reid"]["global_id"]
            key = (run, frame["camera"], one["track_id"])
            place = (box["left"], box["top"], box["width"], box["height"], one["confidence"])
            added = self.connection.execute(
                "INSERT OR IGNORE INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, frame["frame"], row, frame["time_ns"], who, *place),
            )
            if added.rowcount:
                if who >= 0:
                    self._name(key, "sighting", who, frame["time_ns"])
                if not self._one(
                    "SELECT 1 FROM names WHERE (run, camera, track_id, said_id) = (?, ?, ?, ?)", *key, who
                ):
                    self._write(key, who)

    def _add_event(self, run: str, event: Mapping[str, Any]) -> None:
        columns = ("sequence", "kind", "time_ns", "global_id", "camera", "track_id", "other_id", "since_ns", "reason")
        [last] = self._one("SELECT coalesce(max(sequence), -1) FROM events WHERE run = ?", run)
        added = self.connection.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (run, *(event[c] for c in columns))
        )
        if not added.rowcount:
            return
        kind, key = event["kind"], (run, event["camera"], event["track_id"])
        if kind in _NAMING and event["track_id"] is not None:
            self._name(key, "event", event["global_id"], event["time_ns"])
        elif kind == "erased":
            self._erase(run, event["global_id"])
        elif kind in ("merged", "split"):
            # An event that comes late, as it may after a broker's fault, has its place among the others.
            concerned = "(camera, track_id) = (?, ?)" if kind == "split" else "global_id = ?"
            values = key[1:] if kind == "split" else (event["global_id"],)
            if event["sequence"] < last:
                concerned, values = "true", ()
            query = f"SELECT DISTINCT camera, track_id, said_id FROM names WHERE run = ? AND {concerned}"
            for camera, track, said in self.connection.execute(query, (run, *values)).fetchall():
                self._write((run, camera, track), said)

    def _name(self, key: Key, source: str, who: int, time_ns: int) -> None:
        """The track's sightings without a name until now are those of its first name."""
        added = self.connection.execute(
            "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first_id = excluded.first_id, "
            "first_ns = excluded.first_ns WHERE excluded.first_ns < first_ns",
            (*key, source, who, time_ns),
        )
        if added.rowcount:
            self._write(key, -1)

    def _write(self, key: Key, said: int) -> None:
        """What `said` means for this track, by all events so far."""
        query = "SELECT first_ns, first_id FROM tracks WHERE (run, camera, track_id) = (?, ?, ?)"
        found = corrected(first_meanings(said, self.connection.execute(query, key)), said, self._corrections(key))
        self.connection.execute("DELETE FROM names WHERE (run, camera, track_id, said_id) = (?, ?, ?, ?)", (*key, said))
        self.connection.executemany(
            "INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(*key, said, *meaning) for meaning in found]
        )

    def _corrections(self, key: Key) -> Sequence[Event]:
        """The merges of the run and the splits of this track, in order."""
        rows = self.connection.execute(
            "SELECT kind, time_ns, global_id, other_id, since_ns FROM events WHERE run = ? AND "
            "(kind = 'merged' OR (kind = 'split' AND (camera, track_id) = (?, ?))) ORDER BY sequence",
            key,
        )
        return [Event(*row) for row in rows]

    def _erase(self, run: str, who: int) -> None:
        """Forgotten on request: what was seen of this person, and what was said."""
        self.connection.execute(
            "DELETE FROM sightings WHERE (run, camera, frame, track_id) IN "
            "(SELECT run, camera, frame, track_id FROM history WHERE run = ? AND global_id = ?)",
            (run, who),
        )
        self.connection.execute(
            "DELETE FROM events WHERE run = ? AND global_id = ? AND kind IN ('enrolled', 'created', 'confirmed')",
            (run, who),
        )

    def _one(self, query: str, *values: Any) -> Any:
        return self.connection.execute(query, values).fetchone()
