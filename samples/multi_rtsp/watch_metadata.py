"""Prints what `savant-reid run --zmq` says: who is in view of which camera, and each identity event.

.venv/bin/python samples/multi_rtsp/watch_metadata.py tcp://127.0.0.1:5557
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import zmq


def frame_line(frame: dict[str, Any]) -> str:
    people = [one["reid"] for one in frame["objects"]]
    named = ", ".join(f"{p['global_id']} ({p['probability']:.2f})" for p in people if p["global_id"] >= 0)
    unnamed = sum(p["global_id"] < 0 for p in people)
    return f"{frame['camera']:>12} #{frame['frame']}: {named or '-'}" + (
        f" and {unnamed} not known yet" * bool(unnamed)
    )


def event_line(event: dict[str, Any]) -> str:
    other = "" if event["other_id"] is None else f" -> {event['other_id']}"
    return f"{'event':>12} {event['kind']} {event['global_id']}{other} {event['camera'] or ''} {event['reason'] or ''}"


def main(address: str) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.connect(address)
        subscriber.subscribe("frame/")
        subscriber.subscribe("identity/")
        while True:
            topic, text = subscriber.recv_multipart()
            message = json.loads(text)
            print(event_line(message) if topic == b"identity/" else frame_line(message), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5557")
