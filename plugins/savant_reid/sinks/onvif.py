"""Frames and identity events in ONVIF's words, as JSON for MQTT: topics and payloads.

Topics and rules: ONVIF Core Specification 26.06, "Event Broker" and annex "JSON payload format"; ONVIF Analytics
Service Specification 26.06, "Scene Description" and "JSON over MQTT"; elements: metadatastream.xsd. What ONVIF has no
word for has the prefix `reid:`, as both ask of vendors. Only numbers: no pictures, no embeddings, no names of people.
"""

from __future__ import annotations

import json
import math
import unicodedata
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from savant_reid.identity.types import Decision, IdentityEvent, Unmatched
from savant_reid.records import FrameRecord
from savant_reid.sinks.text import mended

# The analytics module, as ONVIF calls whatever finds objects in pictures.
MODULE = "savant-reid"
# What `reid:` stands for.
NAMESPACE = "urn:savant-reid:onvif:1"
_EPOCH = datetime(1970, 1, 1)
# MQTT takes 65,535 bytes of topic, and the name of a site has no bound of its own.
_LONGEST_LEVEL = 128
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode


class OnvifMessages:
    """prefix: ONVIF's TopicPrefix. site: name of the site. run: tells this run's identities from those of others."""

    def __init__(self, prefix: str, site: str, run: str) -> None:
        self.prefix, self.site, self.run = prefix, site, run

    def frame_topic(self, camera: str) -> str:
        """The camera is ONVIF's ProfileToken."""
        return f"{self.prefix}/onvif-mj/VideoAnalytics/{topic_level(camera)}/{MODULE}"

    def event_topic(self, event: IdentityEvent) -> str:
        values = "/".join(map(topic_level, self._source(event).values()))
        return f"{self.prefix}/onvif-ej/VideoAnalytics/reid:Identity/{event.kind.value.capitalize()}/&{values}"

    def frame(self, record: FrameRecord) -> str:
        """A Frame with one Object for each person. People with a number that JSON cannot say are left out."""
        frame: dict[str, Any] = {
            "@UtcTime": utc_time(record.sightings.time_ns),
            "@Source": MODULE,
            "@context": {"reid": NAMESPACE},
            "@reid:Id": f"{self.run}/frame/{record.sightings.camera}/{record.frame}",
        }
        objects = list(self._objects(record))
        if objects:
            frame["Object"] = objects
        return _encode({"Frame": [frame]})

    def event(self, event: IdentityEvent, sequence: int) -> str:
        data: dict[str, Any] = {} if event.track_id is None else {"ObjectId": str(int(event.track_id))}
        data["reid:Id"] = f"{self.run}/identity/{sequence}"
        data["reid:Sequence"] = sequence
        data["reid:GlobalId"] = int(event.global_id)
        data["reid:UUID"] = identity_uuid(self.run, int(event.global_id))
        if event.other_id is not None:
            data["reid:OtherId"] = int(event.other_id)
            data["reid:OtherUUID"] = identity_uuid(self.run, int(event.other_id))
        if event.since_ns is not None:
            data["reid:SinceUtcTime"] = utc_time(event.since_ns)
        for name, value in event.evidence.items():
            if math.isfinite(value):
                data[f"reid:{_camel(name)}"] = round(float(value), 4)
        return _encode({"UtcTime": utc_time(event.time_ns), "Source": self._source(event), "Data": data})

    def _source(self, event: IdentityEvent) -> dict[str, str]:
        """Items as in the example of an analytics module's own event (Analytics, "Analytics module description")."""
        camera = {} if event.camera is None else {"VideoSourceConfiguration": event.camera}
        return {**camera, "AnalyticsConfiguration": self.site, "AnalyticsModule": MODULE}

    def _objects(self, record: FrameRecord) -> Iterator[dict[str, Any]]:
        sightings = record.sightings
        for track_id, box, confidence, decision in record.rows():
            if all(map(math.isfinite, (*box, confidence, decision.probability))):
                shape = _shape(box, sightings.frame_size)
                kind = {"Type": [{"@Likelihood": round(confidence, 4), "#text": "Human"}]}
                yield {
                    "@ObjectId": track_id,
                    **self._identity(decision),
                    "Appearance": {"Shape": shape, "Class": kind},
                }

    def _identity(self, decision: Decision) -> dict[str, Any]:
        """Attributes: an Object may have those of other namespaces."""
        identity = decision.identity
        if isinstance(identity, Unmatched):
            return {"@reid:State": decision.state.value, "@reid:Reason": identity.reason.value}
        return {
            "@UUID": identity_uuid(self.run, int(identity)),
            "@reid:GlobalId": int(identity),
            "@reid:State": decision.state.value,
            "@reid:Probability": round(float(decision.probability), 4),
        }


@lru_cache(maxsize=10_000)
def identity_uuid(run: str, global_id: int) -> str:
    """The same for one identity of one run, on all cameras and whenever it is asked for."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, mended(f"urn:savant-reid:{run}/{global_id}")))


def utc_time(time_ns: int) -> str:
    """xs:dateTime in milliseconds. Rounded down, as a frame's time must not be later than itself."""
    moment = _EPOCH + timedelta(milliseconds=int(time_ns) // 1_000_000)
    return moment.isoformat(timespec="milliseconds") + "Z"


def topic_level(text: str) -> str:
    """One level of a topic. ONVIF leaves out /, + and #; brokers shut out whoever sends what is no character."""
    kept = "".join(sign for sign in text if sign not in "/+#" and _is_character(sign))
    return kept[:_LONGEST_LEVEL] or "_"


def _is_character(sign: str) -> bool:
    """Neither a control character, half a surrogate pair, nor what Unicode sets aside (U+FDD0 …, U+xFFFE, U+xFFFF)."""
    number = ord(sign)
    set_aside = 0xFDD0 <= number <= 0xFDEF or number & 0xFFFE == 0xFFFE
    return not set_aside and unicodedata.category(sign) not in ("Cc", "Cs")


def _shape(box: list[float], frame_size: tuple[int, int]) -> dict[str, Any]:
    """ltwh in pixels as ONVIF's normalised coordinates: -1 to 1, x to the right, y upwards."""
    left, top, width, height = box
    across, down = 2.0 / frame_size[0], 2.0 / frame_size[1]
    return {
        "BoundingBox": {
            "@left": round(left * across - 1, 5),
            "@top": round(1 - top * down, 5),
            "@right": round((left + width) * across - 1, 5),
            "@bottom": round(1 - (top + height) * down, 5),
        },
        "CenterOfGravity": {
            "@x": round((left + width / 2) * across - 1, 5),
            "@y": round(1 - (top + height / 2) * down, 5),
        },
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
