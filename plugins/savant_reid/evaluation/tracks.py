"""tracks.csv, read back: the contract of results and truth files, checked once, here."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import DataError

COLUMNS = ("camera", "frame", "track_id", "global_id", "left", "top", "width", "height", "confidence", "time_ns")
NONE = -1  # the file's word for "no identity", and ours for an empty track_id

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """The rows of one file, in its order.

    cameras: the names, in the order of first appearance. camera: (n,) int64, index into `cameras`. frame: (n,) int64,
    from 0 per camera. track_id, global_id: (n,) int64, -1 where there is none. boxes: (n, 4) float64 ltwh, pixels.
    confidence: (n,) float64. time_ns: (n,) int64.
    """

    cameras: tuple[str, ...]
    camera: Int64s
    frame: Int64s
    track_id: Int64s
    global_id: Int64s
    boxes: NDArray[np.float64]
    confidence: NDArray[np.float64]
    time_ns: Int64s

    def __len__(self) -> int:
        return len(self.frame)


def read_tracks(path: str | Path) -> Tracks:
    """Read a results or truth file; DataError names file, line, column, what was expected and what was found."""
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            _check_header(path, header)
            rows, lines = [], []
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a csv file in UTF-8, found something else: {error}") from error
    _check_lengths(path, rows, lines)
    tracks = _convert(path, rows, lines)
    _check_unique(path, tracks, lines)
    return tracks


def repeated(tracks: Tracks, ids: Int64s) -> Int64s:
    """Where a frame of a camera has an id again: (k, 2) int64, the row and the first row with it.

    ids: (n,) int64, -1 for none, which may be there often.
    """
    rows = np.flatnonzero(ids != NONE)
    keys = np.stack([tracks.camera[rows], tracks.frame[rows], ids[rows]], axis=1)
    first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)[1:]
    pairs = np.stack([rows, rows[first[inverse.ravel()]]], axis=1)
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]], np.int64)


def _check_header(path: Path, header: Sequence[str] | None) -> None:
    if header is None:
        raise DataError(f"{path}: expected the header {','.join(COLUMNS)}, found an empty file")
    if tuple(header) != COLUMNS:
        raise DataError(f"{path}: line 1: expected the header {','.join(COLUMNS)}, found {','.join(header)[:200]}")


def _check_lengths(path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(COLUMNS):
            raise DataError(f"{path}: line {line}: expected {len(COLUMNS)} fields, found {len(row)}")


def _convert(path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> Tracks:
    def column(name: str, parse: Callable[[str], float], expected: str) -> list[float]:
        index = COLUMNS.index(name)
        values = []
        for row, line in zip(rows, lines, strict=True):
            try:
                values.append(parse(row[index]))
            except ValueError:
                _refuse(path, line, name, expected, row[index])
        return values

    def integers(name: str, least: int, expected: str, empty: int | None = None) -> Int64s:
        return np.array(column(name, _integer(least, empty), expected), np.int64)

    names = [row[0] for row in rows]
    for name, line in zip(names, lines, strict=True):
        if not name.strip():
            _refuse(path, line, "camera", "a name", name)
    cameras = tuple(dict.fromkeys(names))
    index_of = {name: index for index, name in enumerate(cameras)}
    places = [column(name, _real(-math.inf, math.inf), "a number") for name in ("left", "top")]
    sizes = [column(name, _real(0.0, math.inf, open_below=True), "a number > 0") for name in ("width", "height")]
    return Tracks(
        cameras=cameras,
        camera=np.array([index_of[name] for name in names], np.int64),
        frame=integers("frame", 0, "an integer >= 0"),
        track_id=integers("track_id", NONE, "an integer >= -1 or nothing", empty=NONE),
        global_id=integers("global_id", NONE, "an integer >= -1"),
        boxes=np.array(places + sizes, np.float64).T.reshape(-1, 4),
        confidence=np.array(column("confidence", _real(0.0, 1.0), "a number from 0 to 1"), np.float64),
        time_ns=integers("time_ns", -(2**63), "an integer of 64 bits"),
    )


def _refuse(path: Path, line: int, column: str, expected: str, found: str) -> NoReturn:
    raise DataError(f"{path}: line {line}: {column}: expected {expected}, found {found[:80]!r}")


def _integer(least: int, empty: int | None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if empty is not None and not text:
            return empty
        value = int(text)
        if not least <= value < 2**63:
            raise ValueError
        return value

    return parse


def _real(least: float, most: float, open_below: bool = False) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or not least <= value <= most or (open_below and value == least):
            raise ValueError
        return value

    return parse


def _check_unique(path: Path, tracks: Tracks, lines: Sequence[int]) -> None:
    """No track is in one frame twice."""
    for row, first in repeated(tracks, tracks.track_id)[:1]:
        camera, frame = tracks.cameras[tracks.camera[row]], tracks.frame[row]
        raise DataError(
            f"{path}: line {lines[row]}: track_id: expected every track once in a frame of a camera, "
            f"found {tracks.track_id[row]} again in frame {frame} of {camera} (first in line {lines[first]})"
        )
