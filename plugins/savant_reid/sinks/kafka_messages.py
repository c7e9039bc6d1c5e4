"""Frames and identity events as Kafka's messages: what identifies them, and by what the broker keeps their order."""

from __future__ import annotations

from savant_reid.sinks.spool import Message


class MessageMaker:
    """run: see run_name."""

    def __init__(self, site: str, run: str) -> None:
        self._site = _mended(site)
        self.run = _mended(run)

    def frame(self, camera: str, frame: int, body: str | bytes) -> Message:
        """In order by camera. body: JSON, or protobuf's bytes."""
        camera = _mended(camera)
        return Message(f"{self.run}/frame/{camera}/{frame}", f"{self._site}/{camera}", _utf8(body))

    def event(self, sequence: int, body: str | bytes) -> Message:
        """In order by site: a merge concerns several cameras, and a split may undo it."""
        return Message(f"{self.run}/identity/{sequence}", self._site, _utf8(body))


def _utf8(body: str | bytes) -> bytes:
    """Half a surrogate pair, as a broken name leaves it, becomes a question mark."""
    return body if isinstance(body, bytes) else body.encode(errors="replace")


def _mended(text: str) -> str:
    return _utf8(text).decode()
