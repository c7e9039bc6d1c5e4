"""A reader of Savant's protocol, as its adapters are: savant-rs alone. python savant_reader.py ADDRESS ENDS

Prints each message as a line of JSON, and ends after so many ends of streams, or when nothing has come for 20 seconds.
"""

from __future__ import annotations

import json
import sys
import time

from savant_rs.match_query import MatchQuery
from savant_rs.zmq import BlockingReader, ReaderConfigBuilder, ReaderResultMessage


def told(result) -> dict:
    message = result.message
    found = {"topic": bytes(result.topic).decode(), "in_order": message.validate_seq_id()}
    if message.is_end_of_stream():
        return {**found, "end": message.as_end_of_stream().source_id}
    if not message.is_video_frame():
        return {**found, "other": message.as_unknown() if message.is_unknown() else repr(message)}
    frame = message.as_video_frame()
    events = frame.get_attribute("reid", "events")
    return {
        **found,
        "source_id": frame.source_id,
        "pts": frame.pts,
        "time_base": frame.time_base,
        "size": [frame.width, frame.height],
        "framerate": frame.framerate,
        "keyframe": frame.keyframe,
        "content": not frame.content.is_none(),
        "events": [json.loads(text) for text in events.values[0].as_strings()] if events else [],
        "objects": sorted(map(one, frame.access_objects(MatchQuery.idle())), key=lambda found: found["id"]),
    }


def one(found) -> dict:
    box = found.detection_box
    return {
        "id": found.id,
        "namespace": found.namespace,
        "label": found.label,
        "track_id": found.track_id,
        "confidence": found.confidence,
        "box": [box.xc, box.yc, box.width, box.height, box.angle],
        "track_box": [found.track_box.xc, found.track_box.yc],
        "attributes": {".".join(key): value(found.get_attribute(*key)) for key in found.attributes},
    }


def value(attribute) -> list:
    [found] = attribute.values
    kind = str(found.value_type).rpartition(".")[2]
    return [kind, getattr(found, f"as_{kind.lower()}")(), found.confidence, attribute.is_temporary()]


def main(address: str, ends: int) -> None:
    config = ReaderConfigBuilder(address)
    config.with_receive_timeout(200)
    config.with_receive_hwm(1000)  # a subscriber loses what it has not taken when the publisher hangs up
    reader = BlockingReader(config.build())
    reader.start()
    print(json.dumps("ready"), flush=True)
    last = time.monotonic()
    while ends and time.monotonic() < last + 20:
        result = reader.receive()
        if isinstance(result, ReaderResultMessage):
            last = time.monotonic()
            found = told(result)
            ends -= "end" in found
            print(json.dumps(found), flush=True)
    reader.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
