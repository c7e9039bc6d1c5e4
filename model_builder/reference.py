"""What a model should give: pictures prepared by a second, plain way, and the network as it was published.

Nothing here is shared with the local host or with the exported graph, so that a wrong colour order, mean or size on
either side shows as a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from model_builder.cards import Card
from savant_reid.errors import ModelError

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
# Pictures (height, width, 3) uint8 BGR to one row of output each.
Reference = Callable[[Sequence[Picture]], Floats]

PICTURE_FILES = (".jpg", ".jpeg", ".png", ".bmp")
# (height, width): the model's own shape among others, odd sizes, lying pictures, and one of a few pixels.
PICTURE_SIZES = ((256, 128), (97, 41), (333, 77), (61, 203), (480, 641), (5, 3), (128, 128), (719, 1279))


def pictures(count: int, seed: int = 0) -> list[Picture]:
    """Seeded pictures of odd sizes, coarse shapes with grain on them, whose three channels differ; BGR uint8."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        height, width = PICTURE_SIZES[index % len(PICTURE_SIZES)]
        coarse = random.random((6, 4, 3), dtype=np.float32) * np.array([0.9, 0.6, 1.0], np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        grain = random.random((height, width, 3), dtype=np.float32)
        made.append(np.clip((0.85 * smooth + 0.15 * grain) * 255, 0, 255).astype(np.uint8))
    return made


def pictures_of(folder: Path, most: int) -> list[Picture]:
    """The first pictures of a folder, by name. Raises ModelError where there is none that can be read."""
    found = [cv2.imread(str(file)) for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURE_FILES]
    read = [np.asarray(image, np.uint8) for image in found[:most] if image is not None]
    if not read:
        raise ModelError(f"{folder}: expected pictures ({', '.join(PICTURE_FILES)}), found none that can be read")
    return read


def by_network(card: Card, network: nn.Module) -> Reference:
    """The PyTorch network on pictures one by one, normalised as its authors did, L2 where the card says so."""

    @torch.no_grad()
    def outputs(images: Sequence[Picture]) -> Floats:
        rows = [network(torch.from_numpy(prepared(card, image))[None]).float() for image in images]
        output = torch.cat(rows)
        if card.output.l2_normalised:
            output = nn.functional.normalize(output, dim=1)
        return output.numpy()

    return outputs


def by_graph(card: Card, session: onnxruntime.InferenceSession) -> Reference:
    """A published graph on pictures one by one."""
    name = session.get_inputs()[0].name

    def outputs(images: Sequence[Picture]) -> Floats:
        rows = []
        for image in images:
            row = prepared(card, image)
            row = row.transpose(1, 2, 0) if card.input.layout == "NHWC" else row
            rows.append(session.run(None, {name: np.ascontiguousarray(row[None])})[0])
        return np.concatenate(rows)

    return outputs


def prepared(card: Card, image: Picture) -> Floats:
    """One picture as the network wants it: (3, height, width) float32, in float64 until the end."""
    height, width = card.input.size
    if card.input.maintain_aspect_ratio:
        scale = min(height / image.shape[0], width / image.shape[1])
        inner = (max(round(image.shape[0] * scale), 1), max(round(image.shape[1] * scale), 1))
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[: inner[0], : inner[1]] = cv2.resize(image, inner[::-1])
    else:
        canvas = cv2.resize(image, (width, height)).reshape(height, width, 3)
    inside = card.normalisation.inside
    order = card.input.color_format if inside is None else inside.color_format
    if inside is not None and order != card.input.color_format and any(card.normalisation.offsets):
        raise ValueError(f"{card.name}: offsets outside and another colour order inside do not go together")
    channels = (canvas[..., ::-1] if order == "rgb" else canvas).astype(np.float64)
    values = (channels - np.array(card.normalisation.offsets)) * card.normalisation.scale_factor
    if inside is not None:
        values = (values / inside.divisor - np.array(inside.mean)) / np.array(inside.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)
