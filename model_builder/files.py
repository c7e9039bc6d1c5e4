"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from savant_reid.errors import OutputError

PART = ".part"
_CHUNK = 1 << 20


def sha256_of(file: Path) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes `file` at the end; where writing fails, `file` stays as it was.

    Raises OutputError where the disk is full or the folder cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}{PART}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, file)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}; it is left as it was") from error
    finally:
        with suppress(OSError):  # where the folder is none, there is no part either
            part.unlink(missing_ok=True)
