"""Whether a video file was cut short, told from its container alone."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_TS_PACKET_BYTES = 188
_TS_SYNC_BYTE = 0x47


def is_cut_short(path: Path) -> bool:
    """True when the last box of an mp4 or the last packet of a .ts is not whole. False for all other files."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(_TS_PACKET_BYTES + 1)
            if head[4:8] in (b"ftyp", b"styp", b"moov", b"mdat"):
                return _boxes_overrun(stream, size_bytes)
            is_ts = len(head) > _TS_PACKET_BYTES and head[0] == head[_TS_PACKET_BYTES] == _TS_SYNC_BYTE
            return is_ts and size_bytes % _TS_PACKET_BYTES != 0
    except OSError:
        return False


def _boxes_overrun(stream: BinaryIO, size_bytes: int) -> bool:
    """Walks the boxes of the top level: 32-bit size and name; size 1: 64-bit size follows; size 0: up to the end."""
    position = 0
    while position < size_bytes:
        stream.seek(position)
        header = stream.read(16)
        if len(header) < 8:
            return True
        (box_bytes,) = struct.unpack(">I", header[:4])
        if box_bytes == 1 and len(header) == 16:
            (box_bytes,) = struct.unpack(">Q", header[8:])
        if box_bytes == 0:
            return False
        if box_bytes < 8:
            return True
        position += box_bytes
    return position > size_bytes
