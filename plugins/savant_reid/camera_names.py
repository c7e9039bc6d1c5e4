"""What a camera may be called: its name becomes a file name, a part of an RTSP address and a word in messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from savant_reid.errors import ConfigError
from savant_reid.sinks.run_folder import overlay_name

# The RTSP mount of all cameras in one picture.
MOSAIC_MOUNT = "mosaic"
# What the usual file systems (ext4, xfs, btrfs, NTFS) hold.
LONGEST_FILE_NAME_BYTES = 255
_BREAKING = ("Cc", "Zl", "Zp")  # Unicode's control characters, line and paragraph separators


def check_camera_names(names: Iterable[str]) -> None:
    """Raises ConfigError that names every camera that cannot be called so, and why."""
    wrong = [f"camera {name!r}: {problem}" for name, problem in name_problems(names)]
    if wrong:
        raise ConfigError("\n".join(wrong))


def name_problems(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, what is wrong with it) for the names of one site that cannot be used."""
    owners: dict[str, str] = {}
    for name in names:
        problem = _problem(name)
        owner = None if problem else owners.get(overlay_name(name))
        if owner is not None:
            problem = (
                "given twice; each camera has one source"
                if owner == name
                else f"expected a name of its own on disk, found {overlay_name(name)!r} taken by camera {owner!r}"
            )
        if problem:
            yield name, problem
        else:
            owners[overlay_name(name)] = name


def _problem(name: str) -> str | None:
    """What is wrong with one name by itself."""
    if not name.strip():
        return "expected a name, found none"
    if name == MOSAIC_MOUNT:
        return "expected another name; this one is the picture of all cameras"
    found = next((sign for sign in name if sign == "/" or unicodedata.category(sign) in _BREAKING), None)
    if found is not None:
        return f"expected a name without '/' and control characters, found {found!r}"
    try:
        size_bytes = len(overlay_name(name).encode())
    except UnicodeEncodeError:
        return "expected text in UTF-8"
    if size_bytes > LONGEST_FILE_NAME_BYTES:
        return (
            f"expected a shorter name: its video's file name has {size_bytes} bytes, {LONGEST_FILE_NAME_BYTES} at most"
        )
    return None
