"""What a video file's container tells without decoding: whether it was cut short, whether its index is missing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_TS_PACKET_BYTES = 188
_TS_SYNC_BYTE = 0x47
# With one of these boxes an mp4 or QuickTime file begins.
_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip")


def is_cut_short(path: Path) -> bool:
    """True when the last box of an mp4 or the last packet of a .ts is not whole. False for all other files."""
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_TS_PACKET_BYTES + 1)
        if head[4:8] in _FIRST_BOXES:
            return any(end > size_bytes for _, end in _boxes(stream, size_bytes))
        is_ts = len(head) > _TS_PACKET_BYTES and head[0] == head[_TS_PACKET_BYTES] == _TS_SYNC_BYTE
        return is_ts and size_bytes % _TS_PACKET_BYTES != 0


def lacks_index(path: Path) -> bool:
    """True for an mp4 without a moov box, as an unfinished recording leaves it: nothing of it can be decoded."""
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(8)[4:] not in _FIRST_BOXES:
            return False
        return all(name != b"moov" for name, _ in _boxes(stream, size_bytes))


def _boxes(stream: BinaryIO, size_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Name and end of each box of the top level; what cannot be a box reaches beyond the file and is the last.

    A box begins with its size in 32 bits and its name; size 1: 64 bits of size follow; size 0: up to the file's end.
    """
    position = 0
    while position < size_bytes:
        stream.seek(position)
        header = stream.read(16)
        name = header[4:8]
        box_bytes = struct.unpack(">I", header[:4])[0] if len(header) >= 8 else size_bytes + 1
        if box_bytes == 1 and len(header) == 16:
            box_bytes = struct.unpack(">Q", header[8:])[0]
        if box_bytes == 0:
            box_bytes = size_bytes - position
        position += box_bytes if box_bytes >= 8 else size_bytes + 1
        yield name, position
