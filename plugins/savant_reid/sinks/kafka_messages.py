"""Frames and identity events as Kafka's messages: what identifies them, and by what the broker keeps their order."""

from __future__ import annotations

from savant_reid.sinks.spool import Message
from savant_reid.sinks.text import mended, utf8


class MessageMaker:
    """run: see run_name."""

    def __init__(self, site: str, run: str) -> None:
        self._site = mended(site)
        self.run = mended(run)

    def frame(self, camera: str, frame: int, body: str | bytes) -> Message:
        """In order by camera. body: JSON, or protobuf's bytes."""
        camera = mended(camera)
        return Message(f"{self.run}/frame/{camera}/{frame}", f"{self._site}/{camera}", _bytes(body))

    def event(self, sequence: int, body: str | bytes) -> Message:
        """In order by site: a merge concerns several cameras, and a split may undo it."""
        return Message(f"{self.run}/identity/{sequence}", self._site, _bytes(body))


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else utf8(body)
