"""Frames as messages of Savant's own protocol, made by savant-rs: what its adapters and client SDK read."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from savant_reid.errors import ConfigError, SavantReidError
from savant_reid.records import FrameRecord
from savant_reid.sinks.text import mended

# The last one on PyPI; later ones come with Savant's images alone.
SAVANT_RS = "0.3.0"
# Element and names of the attributes, of the same types as the module inside Savant writes them.
ELEMENT = "reid"
EVENTS = "events"
_MODEL, _LABEL = "person_detector", "person"
_LONGEST_VERSION = 64
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*")


class SavantMessages:
    """Builds messages.

    protocol: the version that they announce. refused_objects: left out as their numbers are not finite.
    """

    def __init__(self, protocol: str | None = None) -> None:
        """protocol: savant-rs' own by default.

        Savant's readers take a message only where this is to the letter what they expect; the messages are the same
        from 0.2.0 to 1.13.0 (its .proto has changed by one message that is not sent here). See docs/metadata.md.

        Raises SavantReidError where savant-rs is missing or is another one than can be used, ConfigError for a version
        that is none.
        """
        if protocol is not None and not (_VERSION.fullmatch(protocol) and len(protocol) <= _LONGEST_VERSION):
            raise ConfigError(
                f"Savant's protocol: expected a version of up to {_LONGEST_VERSION} signs, as 0.2.0, found {protocol!r}"
            )
        self.refused_objects = 0
        _check_installed()
        try:
            self._load()
            own = self._own_version()
        except (AttributeError, ImportError, TypeError) as error:
            raise SavantReidError(
                f"Savant's protocol needs savant-rs {SAVANT_RS}, found another one: {error}; "
                "install it with: pip install 'savant-reid[savant]'"
            ) from error
        self.protocol = protocol or own
        # As protobuf writes it: field 1 of the message, text. savant-rs has no way to set it.
        self._skipped = 2 + len(own)
        self._head = b"\n" + bytes([len(self.protocol)]) + self.protocol.encode()

    def frame(self, record: FrameRecord, frames_per_second: float, events: Sequence[str] = ()) -> bytes:
        """A VideoFrame without a picture: people as objects with their boxes, tracks and attributes.

        events: JSON texts that leave with it, as the frame's attribute reid.events.
        """
        sightings, rs = record.sightings, self._rs
        rate = Fraction(frames_per_second).limit_denominator(1001)
        width, height = sightings.frame_size
        frame = rs.VideoFrame(
            source_id=mended(sightings.camera),
            framerate=f"{rate.numerator}/{rate.denominator}",
            width=int(width),
            height=int(height),
            content=self._no_content,
            keyframe=True,
            time_base=(1, 1_000_000_000),
            pts=int(sightings.time_ns),
        )
        if events:
            texts = self._value.strings([mended(text) for text in events])
            frame.set_attribute(rs.Attribute(ELEMENT, EVENTS, [texts]))
        self._add_objects(frame, record)
        return self._bytes(frame.to_message())

    def end(self, camera: str) -> bytes:
        """End-of-stream; what comes of this camera afterwards counts anew."""
        name = mended(camera)
        message = self._bytes(self._rs.EndOfStream(name).to_message())
        self._serialization.clear_source_seq_id(name)
        return message

    def _add_objects(self, frame: Any, record: FrameRecord) -> None:
        make, value, box_of = self._rs.Attribute, self._value, self._box
        for track_id, (left, top, width, height), confidence, decision in record.rows():
            probability = float(decision.probability)
            if not math.isfinite(left + top + width + height + confidence + probability):
                self.refused_objects += 1
                continue
            box = box_of(left + width / 2, top + height / 2, width, height, 0.0)
            frame.create_object(
                namespace=_MODEL,
                label=_LABEL,
                confidence=confidence,
                detection_box=box,
                track_id=track_id,
                track_box=box,
                attributes=[
                    make(ELEMENT, "global_id", [value.integer(int(decision.global_id), 1.0)]),
                    make(ELEMENT, "state", [value.string(decision.state.value, 1.0)]),
                    make(ELEMENT, "probability", [value.float(probability, 1.0)]),
                ],
            )

    def _load(self) -> None:
        from savant_rs import primitives
        from savant_rs.primitives.geometry import RBBox
        from savant_rs.utils.serialization import save_message_to_bytes

        self._rs = primitives
        self._box = RBBox
        self._value = primitives.AttributeValue
        self._no_content = primitives.VideoFrameContent.none()
        self._save = save_message_to_bytes
        self._serialization = sys.modules["savant_rs.utils.serialization"]  # it is no attribute of its package

    def _own_version(self) -> str:
        data: bytes = self._save(self._rs.EndOfStream("").to_message())
        if data[0] != 0x0A or data[1] > _LONGEST_VERSION:
            raise TypeError("its messages do not begin with the protocol's version")
        return data[2 : 2 + data[1]].decode()

    def _bytes(self, message: Any) -> bytes:
        saved: bytes = self._save(message)
        return self._head + saved[self._skipped :]


def _check_installed() -> None:
    try:
        import savant_rs  # noqa: F401
    except ModuleNotFoundError as error:
        version = sys.version_info
        why = (
            f"; the package index has it for Python 3.8 to 3.12 on Linux, and this is {version.major}.{version.minor}"
            if version >= (3, 13)
            else "; install it with: pip install 'savant-reid[savant]'"
        )
        raise SavantReidError(f"Savant's protocol needs the package savant-rs {SAVANT_RS}, found none{why}") from error
