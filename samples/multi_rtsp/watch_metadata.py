"""Prints what `savant-reid run --zmq` says: who is in view of which camera, and each identity event.

.venv/bin/python samples/multi_rtsp/watch_metadata.py tcp://127.0.0.1:5557
"""

from __future__ import annotations

import argparse
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
        try:
            subscriber.connect(address)
        except zmq.ZMQError as error:
            sys.exit(f"expected tcp://HOST:PORT or ipc://PATH, found {address!r}: {error}")
        subscriber.subscribe("frame/")
        subscriber.subscribe("identity/")
        while True:
            topic, text = subscriber.recv_multipart()
            message = json.loads(text)
            print(event_line(message) if topic == b"identity/" else frame_line(message), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prints what savant-reid run --zmq says.")
    parser.add_argument("address", nargs="?", default="tcp://127.0.0.1:5557", help="default: %(default)s")
    with suppress(KeyboardInterrupt):
        main(parser.parse_args().address)
