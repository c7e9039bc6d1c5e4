"""frames.jsonl: what was said about each frame at the moment of the frame."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from savant_reid.identity.types import Decision, IdentityEvent, Unmatched
from savant_reid.records import FrameRecord
from savant_reid.sinks.lines import LineFile
from savant_reid.sinks.run_folder import FRAMES

SCHEMA = "savant-reid/frame/1"
# One encoder for all frames: json.dumps with options builds a new one in every call.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode


class FrameLines:
    """Frames as JSON, on one line each. Sinks that share it encode a record once between them.

    refused_objects: left out because JSON has no word for their numbers.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.refused_objects = 0
        self._record: FrameRecord | None = None
        self._line = ""

    def line(self, record: FrameRecord) -> str:
        if record is not self._record:
            self._line, self._record = self._encoded(record), record
        return self._line

    def _encoded(self, record: FrameRecord) -> str:
        message = frame_message(record, self.site)
        try:
            return _encode(message)
        except ValueError:  # NaN or Inf
            whole = [one for one in message["objects"] if _is_finite(one)]
            self.refused_objects += len(message["objects"]) - len(whole)
            return _encode({**message, "objects": whole})


class FramesSink:
    """Writes one line per frame and camera. Objects whose numbers are not finite are left out and counted."""

    def __init__(self, folder: Path, site: str, lines: FrameLines | None = None) -> None:
        """lines: where another sink of the same site takes them from too."""
        self._lines = lines or FrameLines(site)
        self._file = LineFile(folder / FRAMES)

    @property
    def refused_objects(self) -> int:
        return self._lines.refused_objects

    def write_frame(self, record: FrameRecord) -> None:
        self._file.write(self._lines.line(record), record.sightings.time_ns)

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        """Events have their own file."""

    def close(self) -> None:
        self._file.close()


def frame_message(record: FrameRecord, site: str) -> dict[str, Any]:
    """The message of schemas/frame.json, of plain ints, floats and strings (pixels to 1/100, shares to 1/10000)."""
    sightings = record.sightings
    return {
        "schema": SCHEMA,
        "site": site,
        "camera": sightings.camera,
        "frame": int(record.frame),
        "time_ns": int(sightings.time_ns),
        "objects": [
            {
                "track_id": track_id,
                "box": {
                    "left": round(box[0], 2),
                    "top": round(box[1], 2),
                    "width": round(box[2], 2),
                    "height": round(box[3], 2),
                },
                "confidence": round(confidence, 4),
                "reid": _reid(decision),
            }
            for track_id, box, confidence, decision in record.rows()
        ],
    }


def _reid(decision: Decision) -> dict[str, Any]:
    identity = decision.identity
    global_id, reason = (-1, identity.reason.value) if isinstance(identity, Unmatched) else (int(identity), None)
    second = decision.runner_up
    return {
        "global_id": global_id,
        "state": decision.state.value,
        "probability": round(float(decision.probability), 4),
        "runner_up": second
        and {"global_id": int(second.global_id), "probability": round(float(second.probability), 4)},
        "reason": reason,
    }


def _is_finite(one: dict[str, Any]) -> bool:
    second = one["reid"]["runner_up"] or {"probability": 0.0}
    shares = (one["confidence"], one["reid"]["probability"], second["probability"])
    return all(map(math.isfinite, (*one["box"].values(), *shares)))
