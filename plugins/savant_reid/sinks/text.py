"""Text on its way out: half a surrogate pair, as a broken name leaves it, becomes a question mark."""

from __future__ import annotations


def utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def mended(text: str) -> str:
    return utf8(text).decode()
