"""Folders in Market-1501's layout (Zheng et al. 2015): read for an evaluation, written from labelled crops.

``query`` holds the pictures that ask, ``bounding_box_test`` the gallery that is asked. A picture's name begins with the
person's number and the camera's: ``0002_c1s1_000451_03.jpg``. Number 0 marks distractors (they stay in the gallery as
wrong answers), -1 junk (bad boxes of somebody: never counted, neither right nor wrong).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from model_builder.data import CropSet
from savant_reid.errors import DataError, OutputError

QUERY, GALLERY = "query", "bounding_box_test"
DISTRACTOR, JUNK = 0, -1
NAME = re.compile(r"(-1|\d+)_c(\d+)(?!\d)")
EXAMPLE = "0002_c1s1_000451_03.jpg"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Pictures:
    """Files with the people and cameras of their names, (n,) int64 each; sorted by name."""

    files: tuple[Path, ...]
    people: np.ndarray
    cameras: np.ndarray

    def __len__(self) -> int:
        return len(self.files)


def read_folder(folder: Path) -> tuple[Pictures, Pictures]:
    """Queries and gallery. Raises DataError for a missing or empty folder, a wrong name, a query of nobody."""
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder with {QUERY} and {GALLERY}, found no folder")
    queries, gallery = _pictures(folder / QUERY), _pictures(folder / GALLERY)
    nobody = np.flatnonzero(queries.people <= DISTRACTOR)
    if len(nobody):
        file = queries.files[nobody[0]]
        text = "expected the number of a person, from 1: 0 marks distractors and -1 junk, which cannot ask"
        raise DataError(f"{file}: {text}; found {queries.people[nobody[0]]} ({len(nobody)} such files)")
    return queries, gallery


def _pictures(folder: Path) -> Pictures:
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of pictures (Market-1501's layout), found no folder")
    # Other files (Thumbs.db, readme.txt) are part of the published archives.
    files = tuple(sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES))
    if not files:
        raise DataError(f"{folder}: expected pictures ({', '.join(sorted(SUFFIXES))}), found none")
    found = [NAME.match(file.name) for file in files]
    wrong = [file.name for file, match in zip(files, found, strict=True) if match is None]
    if wrong:
        raise DataError(
            f"{folder / wrong[0]}: expected a name such as {EXAMPLE} (person 2, camera 1); "
            f"found {len(wrong)} of {len(files)} with other names"
        )
    numbers = np.array([[int(match[1]), int(match[2])] for match in found if match], np.int64)
    return Pictures(files, numbers[:, 0], numbers[:, 1])


def read_picture(file: Path) -> np.ndarray:
    """(height, width, 3) uint8 BGR. Raises DataError."""
    # imdecode and not imread: that one knows no names beyond ASCII on some systems, and prints to standard error.
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise DataError(f"{file}: expected a picture, found {len(data)} bytes that cannot be decoded")
    return np.asarray(picture, np.uint8)


def check_new_folder(folder: Path) -> None:
    """Raises OutputError for a folder that holds something, and for a file in its place."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = "something in it" if folder.is_dir() else "a file"
        raise OutputError(f"{folder}: expected a new or an empty folder, found {found}")


def write_folder(crops: CropSet, folder: Path, distractors: np.ndarray | None = None) -> None:
    """One query of each person in each camera (its first crop), all other crops in the gallery, numbers from 1.

    ``distractors``: (n, h, w, 3) uint8 BGR, written to the gallery as nobody's. Raises OutputError as
    check_new_folder does.
    """
    check_new_folder(folder)
    for part in (QUERY, GALLERY):
        (folder / part).mkdir(parents=True, exist_ok=True)
    asked: set[tuple[int, int]] = set()
    for i, (person, camera) in enumerate(zip(crops.people.tolist(), crops.cameras.tolist(), strict=True)):
        part = GALLERY if (person, camera) in asked else QUERY
        asked.add((person, camera))
        _write(folder / part / f"{person + 1:04d}_c{camera + 1}s1_{i:06d}_00.jpg", crops.crops[i])
    for i, crop in enumerate(distractors if distractors is not None else ()):
        _write(folder / GALLERY / f"{DISTRACTOR:04d}_c1s1_{i:06d}_01.jpg", crop)


def _write(file: Path, crop: np.ndarray) -> None:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    data.tofile(file)
