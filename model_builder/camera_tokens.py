"""TransReID's side information in a file: an input for the labels, or folded in.

``input``: a second input ``cameras`` (batch,) int64, labels of the training set from 0, for ONNX Runtime. ``mean``: the
mean of all rows is folded in, and the file takes images only: the default, and the only choice where none of the site's
cameras was in the training set, as their rows do not exist. A list of labels: their mean is folded in, one file (and
engine) per camera group, for DeepStream, whose nvinfer feeds nothing but the image.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from model_builder.architectures.transreid import TransReID
from model_builder.cards import Card
from model_builder.export import Precision, export
from model_builder.graph import CAMERAS, GraphSpec
from savant_reid.errors import ModelError

# "input", "mean", or labels.
Cameras = str | Sequence[int]


def export_cameras(
    module: nn.Module, card: Card | GraphSpec, path: Path, cameras: Cameras = "mean", precision: Precision = "fp32"
) -> Path:
    """Writes the file with the labels as ``cameras`` says. ModelError where the network has none, or no such label."""
    if not isinstance(module, TransReID) or module.cameras < 2 or module.base.sie_embed is None:
        raise ModelError("expected a TransReID with side information of cameras, found a network without")
    if cameras == "input":
        extra = [(CAMERAS, torch.tensor([0, module.cameras - 1]))]
        return export(module, card, path, precision, extra=extra, metadata={"cameras": "input"})
    labels = None if cameras == "mean" else list(cast(Sequence[int], cameras))
    told = "mean" if labels is None else " ".join(map(str, labels))
    return export(with_cameras(module, labels), card, path, precision, metadata={"cameras": told})


def with_cameras(module: nn.Module, labels: Sequence[int] | None) -> TransReID:
    """A copy that takes images only, with the mean of these cameras' rows (None: of all). ModelError for no such."""
    if not isinstance(module, TransReID):
        raise ModelError(f"expected a TransReID, found {type(module).__name__}")
    folded = copy.deepcopy(module)
    try:
        folded.fold_side(None if labels is None else _rows(module, labels))
    except ValueError as error:
        raise ModelError(str(error)) from error
    return folded


def _rows(module: TransReID, labels: Sequence[int]) -> list[int]:
    """A camera's rows: one, or one for each view."""
    views = max(module.views, 1)
    return [label * views + view for label in labels for view in range(views)]


@torch.no_grad()
def distances(module: TransReID, images: Tensor) -> dict[str, float]:
    """Mean cosine distance of the features of ``images`` under the mean row, and under another camera's row, to those
    under each camera's own; ``images`` are normalised, (n, 3, height, width)."""
    labels = range(module.cameras)
    own = torch.stack([_unit(module(images, torch.full((len(images),), label))) for label in labels])
    mean = _unit(module(images))
    others = [1 - (own[label] * own[other]).sum(1).mean() for label in labels for other in labels if other != label]
    return {
        "mean_to_own": float((1 - (own * mean).sum(2)).mean()),
        "other_to_own": float(torch.stack(others).mean()),
    }


def _unit(features: Tensor) -> Tensor:
    return nn.functional.normalize(features, dim=1)
