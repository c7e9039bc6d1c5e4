"""State dicts with the names and shapes of published checkpoints, from the tables in ``published/``.

A line is ``NAME SHAPE``, or ``NAME.* batchnorm WIDTH`` for the five entries of a batch norm. The tables were printed
from the projects' own models, each built once by its own source from its own configuration with 751 people; so were the
outputs in ``outputs.json``, with the weights that ``random_weights`` gives.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "published"
TAMED = 0.3  # of the last norm of a residual branch and of what makes attention: else activations grow without bound


def shapes(table: str) -> dict[str, tuple[int, ...]]:
    """Names to shapes; () for a counter."""
    found: dict[str, tuple[int, ...]] = {}
    for line in (FOLDER / f"{table}.txt").read_text().splitlines():
        name, *kind, size = line.split()
        if kind == ["batchnorm"]:
            prefix = name.removesuffix("*")
            found |= {prefix + part: (int(size),) for part in ("weight", "bias", "running_mean", "running_var")}
            found[f"{prefix}num_batches_tracked"] = ()
        else:
            found[name] = tuple(int(side) for side in size.split("x"))
    return found


def random_weights(table: str) -> dict[str, Tensor]:
    """Seeded by each name, and of a size that keeps the activations finite."""
    return {name: _random(name, shape) for name, shape in shapes(table).items()}


def _random(name: str, shape: tuple[int, ...]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    draw = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if name.endswith("pool_layer.p"):
        return torch.full(shape, 2.7)
    if name.endswith("running_var"):
        return 0.5 + draw.abs()
    if len(shape) == 1:
        values = 1.0 + 0.2 * draw if name.endswith("weight") else 0.1 * draw
        return TAMED * values if name.endswith(("bn3.weight", "W.1.weight")) else values
    if not name.endswith("weight"):
        return 0.1 * draw  # class, position and side-information tokens
    values = draw * (1.5 / draw[0].numel()) ** 0.5
    return TAMED * values if "NL_" in name and shape[0] == 1 else values


def images(height: int, width: int, count: int = 2) -> Tensor:
    """Normalised noise (count, 3, height, width) float32, always the same."""
    return torch.randn((count, 3, height, width), generator=torch.Generator().manual_seed(5))


def outputs() -> dict[str, dict[str, Any]]:
    """By case: table, architecture, options, image size and what the original gave: dimension, norms, first values."""
    return json.loads((FOLDER / "outputs.json").read_text())
