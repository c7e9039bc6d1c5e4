"""identities.jsonl: what happened to identities, in order."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.lines import LineFile
from savant_reid.sinks.run_folder import IDENTITIES

SCHEMA = "savant-reid/identity/1"
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class IdentitiesSink:
    """Writes one line per event, at once: events are few and each of them matters."""

    def __init__(self, folder: Path, site: str) -> None:
        self._site = site
        self._sequence = 0
        self._file = LineFile(folder / IDENTITIES)

    def write_frame(self, record: FrameRecord) -> None:
        """Frames have their own file."""

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            self._file.write(event_line(event, self._site, self._sequence), event.time_ns)
            self._sequence += 1
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def event_line(event: IdentityEvent, site: str, sequence: int) -> str:
    """event_message as JSON, without a newline."""
    return _encode(event_message(event, site, sequence))


def event_message(event: IdentityEvent, site: str, sequence: int) -> dict[str, Any]:
    """The message of schemas/identity.json. sequence: counts from 0 within the run, without gaps."""
    return {
        "schema": SCHEMA,
        "site": site,
        "sequence": sequence,
        "kind": event.kind.value,
        "time_ns": int(event.time_ns),
        "global_id": int(event.global_id),
        "camera": event.camera,
        "track_id": None if event.track_id is None else int(event.track_id),
        "other_id": None if event.other_id is None else int(event.other_id),
        "since_ns": None if event.since_ns is None else int(event.since_ns),
        "reason": event.reason,
        "evidence": {name: _number(value) for name, value in event.evidence.items()},
    }


def _number(value: float) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
