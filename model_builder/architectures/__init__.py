"""Networks: the demo's own two, and those of published checkpoints under the checkpoints' own names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from model_builder.architectures import (
    faster_rcnn,
    fastreid_resnet,
    published,
    torchreid_osnet,
    transreid,
    vit,
    yolov8,
    yolox,
)
from model_builder.architectures.detector import PersonDetector
from model_builder.architectures.osnet import OSNetEmbedder
from model_builder.architectures.published import KeyMismatch

__all__ = ["BUILDERS", "KeyMismatch", "OSNetEmbedder", "PersonDetector", "create", "keys"]

# What a card's ``architecture.name`` can be, and what its ``architecture.options`` go to.
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    **torchreid_osnet.BUILDERS,
    **fastreid_resnet.BUILDERS,
    **vit.BUILDERS,
    **transreid.BUILDERS,
    **yolox.BUILDERS,
    **yolov8.BUILDERS,
    **faster_rcnn.BUILDERS,
}


def create(name: str, **options: Any) -> nn.Module:
    """The network with random weights, in eval mode. KeyError: lists the known names; ValueError, TypeError: an option.

    Re-ID networks map normalised images (batch, 3, height, width) float32 to the feature that their projects use at
    test time, (batch, dimension), before any L2; detectors to their raw output.
    """
    if name not in BUILDERS:
        raise KeyError(f"architecture {name!r}: expected one of {', '.join(sorted(BUILDERS))}")
    return BUILDERS[name](**options).eval()


def keys(name: str, state_dict: Mapping[str, Any], **options: Any) -> dict[str, Tensor]:
    """A published checkpoint under our names, for ``create(name, **options).load_state_dict``.

    Takes what ``torch.load`` gives, wrapped or not. Raises KeyMismatch with missing and left-over names and shapes.
    """
    with torch.device("meta"):
        module = create(name, **options)
    return published.fitted(name, module, state_dict)
