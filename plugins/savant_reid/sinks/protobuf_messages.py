"""Frames and identity events as protobuf: what their JSON says, by schemas/messages.proto; and back."""

from __future__ import annotations

import functools
import math
from enum import Enum
from pathlib import Path
from typing import Any

from savant_reid.errors import SavantReidError
from savant_reid.identity.types import EventKind, IdentityEvent, Reason, State, Unmatched
from savant_reid.records import FrameRecord
from savant_reid.sinks import frames, identities
from savant_reid.sinks.text import mended

# A FileDescriptorSet, made by `make proto`. Classes are made of it when they are needed: code that protoc writes
# is refused by versions of protobuf that are two years older or younger.
DESCRIPTORS = Path(__file__).parent / "schemas" / "messages.binpb"
_PACKAGE = "savant_reid.v1"
# By which a message is told from JSON, and from the other one: field 1 comes first.
_BEGINNINGS = {
    b"\n" + bytes([len(schema)]) + schema.encode(): name
    for schema, name in ((frames.SCHEMA, "Frame"), (identities.SCHEMA, "Identity"))
}
_STATES = {state: number for number, state in enumerate(State, 1)}
_REASONS = {reason: number for number, reason in enumerate(Reason, 1)}
_KINDS = {kind: number for number, kind in enumerate(EventKind, 1)}


class ProtobufMessages:
    """refused_objects: left out of frames as their numbers are not finite, as JSON leaves them out."""

    def __init__(self, site: str) -> None:
        """Raises SavantReidError where the package protobuf is missing."""
        classes = message_classes()
        self._new_frame, self._new_identity = classes["Frame"], classes["Identity"]
        self._site = mended(site)
        self.refused_objects = 0

    def frame(self, record: FrameRecord) -> bytes:
        sightings = record.sightings
        message = self._new_frame(
            schema=frames.SCHEMA,
            site=self._site,
            camera=mended(sightings.camera),
            frame=int(record.frame),
            time_ns=int(sightings.time_ns),
        )
        for track_id, box, confidence, decision in record.rows():
            second = decision.runner_up
            shares = confidence + float(decision.probability) + (float(second.probability) if second else 0.0)
            if not math.isfinite(sum(box) + shares):
                self.refused_objects += 1
                continue
            one = message.objects.add()
            one.track_id = track_id
            one.confidence = confidence
            place = one.box
            place.left, place.top, place.width, place.height = box
            reid = one.reid
            if isinstance(decision.identity, Unmatched):
                reid.global_id = -1
                reid.reason = _REASONS[decision.identity.reason]
            else:
                reid.global_id = int(decision.identity)
            reid.state = _STATES[decision.state]
            # Rounded before it is cut to 32 bits, so that reading it back gives JSON's number to the letter.
            reid.probability = round(float(decision.probability), 4)
            if second:
                reid.runner_up.global_id = int(second.global_id)
                reid.runner_up.probability = round(float(second.probability), 4)
        return bytes(message.SerializeToString())

    def event(self, event: IdentityEvent, sequence: int) -> bytes:
        """sequence: counts from 0 within the run, without gaps."""
        message = self._new_identity(
            schema=identities.SCHEMA,
            site=self._site,
            sequence=sequence,
            kind=_KINDS[event.kind],
            time_ns=int(event.time_ns),
            global_id=int(event.global_id),
            camera=None if event.camera is None else mended(event.camera),
            track_id=None if event.track_id is None else int(event.track_id),
            other_id=None if event.other_id is None else int(event.other_id),
            since_ns=None if event.since_ns is None else int(event.since_ns),
            reason=mended(event.reason),
        )
        for name, value in event.evidence.items():
            number = float(value)
            message.evidence[mended(name)] = number if math.isfinite(number) else math.nan
        return bytes(message.SerializeToString())


def json_form(value: bytes) -> dict[str, Any]:
    """What the message says, as its JSON would be parsed. Raises ValueError for what is no such message."""
    name = message_name(value)
    if name is None:
        raise ValueError("expected a protobuf message of messages.proto, found other bytes")
    try:
        message = message_classes()[name].FromString(value)
    except Exception as error:  # google.protobuf.message.DecodeError; its package may be missing here
        raise ValueError(f"expected a {_PACKAGE}.{name}, found: {error}") from error
    return _frame_form(message) if name == "Frame" else _identity_form(message)


def message_name(value: bytes) -> str | None:
    """Frame or Identity; None for JSON and all else."""
    return next((name for beginning, name in _BEGINNINGS.items() if value.startswith(beginning)), None)


def content_type(value: bytes) -> str:
    """As Kafka's header tells it: a spool may hold messages of a run that sent the other form."""
    name = message_name(value)
    return f'application/x-protobuf; messageType="{_PACKAGE}.{name}"' if name else "application/json"


@functools.cache
def message_classes() -> dict[str, Any]:
    """The classes of messages.proto by name. Raises SavantReidError where the package protobuf is missing."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise SavantReidError(
            "protobuf messages need the package protobuf, found none; install it with: "
            "pip install 'savant-reid[protobuf]'"
        ) from error
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in ("Frame", "Identity")
    }


def _frame_form(message: Any) -> dict[str, Any]:
    return {
        "schema": message.schema,
        "site": message.site,
        "camera": message.camera,
        "frame": message.frame,
        "time_ns": message.time_ns,
        "objects": [
            {
                "track_id": one.track_id,
                "box": {side: round(getattr(one.box, side), 2) for side in ("left", "top", "width", "height")},
                "confidence": round(one.confidence, 4),
                "reid": _reid_form(one.reid),
            }
            for one in message.objects
        ],
    }


def _reid_form(reid: Any) -> dict[str, Any]:
    second = reid.runner_up
    return {
        "global_id": reid.global_id,
        "state": _word(State, reid.state),
        "probability": round(reid.probability, 4),
        "runner_up": {"global_id": second.global_id, "probability": round(second.probability, 4)}
        if reid.HasField("runner_up")
        else None,
        "reason": _word(Reason, reid.reason),
    }


def _identity_form(message: Any) -> dict[str, Any]:
    optional = ("camera", "track_id", "other_id", "since_ns")
    return {
        "schema": message.schema,
        "site": message.site,
        "sequence": message.sequence,
        "kind": _word(EventKind, message.kind),
        "time_ns": message.time_ns,
        "global_id": message.global_id,
        **{name: getattr(message, name) if message.HasField(name) else None for name in optional},
        "reason": message.reason,
        "evidence": {name: value if math.isfinite(value) else None for name, value in message.evidence.items()},
    }


def _word(words: type[Enum], number: int) -> str | None:
    """Numbers count the words in their order, from 1; 0: null. Raises ValueError for one that is not known yet."""
    if not number:
        return None
    found = list(words)[number - 1 : number]
    if not found:
        raise ValueError(f"expected a {words.__name__} of 1 to {len(words)}, found {number}")
    return str(found[0].value)
