"""``python -m model_builder quantise NAME PICTURES...``: the built FP32 file to INT8, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from model_builder.cards import Card, load_card
from model_builder.commands import models_option, told
from savant_reid.errors import DataError, ModelError

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
MOST_PICTURES = 2000


@click.command("quantise")
@click.argument("name")
@click.argument("pictures", type=click.Path(path_type=Path), nargs=-1, required=True)
@models_option
@told
def quantise_command(name: str, pictures: tuple[Path, ...], models: Path) -> None:
    """Writes NAME.int8.onnx beside the built FP32 file, calibrated on PICTURES.

    PICTURES: folders of crops (of a re-ID model) or frames (of a detector), and videos, whose frames are taken evenly.
    Three quarters calibrate; what INT8 costs is measured on the fourth.
    """
    from model_builder.quantise import split

    card = load_card(name, models)
    calibration, held_back = split(list(read_pictures(pictures, MOST_PICTURES)))
    click.echo(quantised(card, models, calibration, held_back))


def quantised(card: Card, models: Path, calibration: Sequence[np.ndarray], held_back: Sequence[np.ndarray]) -> str:
    """Quantises, measures, writes the report; returns the line for the user.

    Raises ModelError where the FP32 file is not built, or where INT8 costs so much that no file is left.
    """
    from model_builder.quantise import cost, quantise, within
    from model_builder.report import add_entry

    file, target = card.built_file(models), card.built_file(models, "int8")
    if not file.is_file():
        raise ModelError(f"{file}: no such file; run `python -m model_builder build {card.name}` first")
    quantise(card, file, target, calibration)
    paid = cost(card, file, target, held_back)
    if not within(paid):
        target.unlink()
        raise ModelError(f"{target.name}: not kept: INT8 costs too much with these pictures: {paid.told()}. Use fp16")
    entry = {"precision": "int8", "passed": True, "calibrated_on": len(calibration), "cost": asdict(paid)}
    add_entry(card, target, entry, {"file": file.name})
    return f"{target}: {paid.told()}"


def read_pictures(paths: Sequence[Path], most: int) -> Iterator[np.ndarray]:
    """BGR uint8 pictures from folders and videos, about ``most`` of each at most. DataError for what is neither."""
    import cv2

    files = [file for path in paths for file in _files(path)]
    stills = [file for file in files if file.suffix.lower() in PICTURE_ENDINGS]
    videos = [file for file in files if file.suffix.lower() not in PICTURE_ENDINGS]
    for file in stills[:: max(len(stills) // most, 1)]:
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if picture is None:
            raise DataError(f"{file}: expected a picture, found something else")
        yield picture
    for video in videos:
        yield from _frames(video, max(most // len(videos), 1))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURE_ENDINGS)
        if not found:
            raise DataError(f"{path}: expected pictures ({', '.join(PICTURE_ENDINGS)}), found none")
        return found
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    return [path]


def _frames(video: Path, most: int) -> Iterator[np.ndarray]:
    import cv2

    capture = cv2.VideoCapture(str(video))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if not capture.isOpened() or count < 1:
        raise DataError(f"{video}: expected a video or a picture, found something else")
    step = max(count // most, 1)
    for index in range(count):
        if not capture.grab():
            return
        if index % step == 0:
            good, picture = capture.retrieve()
            if good:
                yield picture
