"""Files that are whole at any moment: the old one, or the whole new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from savant_reid.errors import OutputError


def temporary_of(path: Path) -> Path:
    """What is written in place of `path` until it is whole; a killed process leaves it behind."""
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def replacing(path: Path, failed: str = "cannot be written") -> Iterator[Path]:
    """A name to write to, which takes the place of `path` at a clean end; a link there is replaced.

    Raises OutputError with the words `failed` where the system refuses something meanwhile.
    """
    temporary = temporary_of(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: {failed}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # of a folder that is none
            temporary.unlink(missing_ok=True)
