"""Boxes of a Faster R-CNN: anchors, suppression and pooling, in forms that both PyTorch and ONNX compute.

All but the suppression's own output has a size that only the batch decides: what was not found is padding with a score
below zero. torchvision's operators cannot be used, as it has no build for the CPU build of PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

PADDING = -1.0
LARGEST_GROWTH = math.log(1000.0 / 16.0)  # torchvision's bound of a box's logarithm


def grid_anchors(rows: int, columns: int, stride: tuple[int, int], size: float) -> Tensor:
    """(rows * columns * 3, 4) corners, row by row; height to width 1/2, 1 and 2; strides are (vertical, horizontal)."""
    ratios = np.sqrt([0.5, 1.0, 2.0], dtype=np.float32)
    widths, heights = size / ratios, size * ratios
    cell = np.round(np.stack((-widths, -heights, widths, heights), axis=1) / 2)
    y, x = np.mgrid[: rows * stride[0] : stride[0], : columns * stride[1] : stride[1]]
    shifts = np.stack((x, y, x, y), axis=-1).reshape(-1, 1, 4)
    # NumPy, so that the graph gets one constant and not the arithmetic.
    return torch.from_numpy((shifts + cell).reshape(-1, 4).astype(np.float32))


def decoded(anchors: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Corners (..., 4) of boxes that differ from the anchors' corners by deltas (..., 4)."""
    sizes = anchors[..., 2:] - anchors[..., :2]
    centres = anchors[..., :2] + 0.5 * sizes
    moved = centres + deltas[..., :2] / deltas.new_tensor(weights[:2]) * sizes
    growth = (deltas[..., 2:] / deltas.new_tensor(weights[2:])).clamp(max=LARGEST_GROWTH)
    half = 0.5 * growth.exp() * sizes
    return torch.cat((moved - half, moved + half), dim=-1)


def clipped(boxes: Tensor, height: int, width: int) -> Tensor:
    """Corners held inside the picture."""
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def without_small(boxes: Tensor, scores: Tensor, least: float) -> Tensor:
    """The scores, PADDING where a side is shorter than ``least`` pixels."""
    sizes = boxes[..., 2:] - boxes[..., :2]
    return torch.where((sizes >= least).all(dim=-1), scores, torch.full_like(scores, PADDING))


def rows_of(values: Tensor, rows: Tensor) -> Tensor:
    """values (batch, n, 4) and rows (batch, k) to (batch, k, 4)."""
    return values.gather(1, rows[..., None].expand(-1, -1, 4))


def best_apart(boxes: Tensor, scores: Tensor, groups: Tensor, span: float, overlap: float, most: int) -> Any:
    """The best boxes after greedy suppression within groups: scores (batch, most) falling, rows (batch, most).

    boxes (batch, n, 4) corners within ``span`` pixels; scores (batch, n), PADDING for none; groups (batch, n), whose
    boxes are moved apart so that none of two groups overlap.
    """
    apart = boxes + (groups * span)[..., None]
    kept = Suppression.apply(apart, scores[:, None], most, overlap)
    mask = torch.zeros_like(scores).reshape(-1)
    position = kept[:, 0] * scores.shape[1] + kept[:, 2]
    mask = mask.scatter(0, position, torch.ones_like(position, dtype=scores.dtype)).reshape(scores.shape)
    return torch.where(mask > 0.5, scores, torch.full_like(scores, PADDING)).topk(most, dim=1)


class Suppression(Function):
    """ONNX's NonMaxSuppression: (kept, 3) int64 of picture, class (0) and box; boxes of a negative score are none."""

    @staticmethod
    def forward(_context: Any, boxes: Tensor, scores: Tensor, most: int, overlap: float) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return torch.zeros((1, 3), dtype=torch.int64)  # only its place in the graph counts
        kept = []
        for picture in range(len(boxes)):
            rows = _suppressed(boxes[picture], scores[picture, 0], most, overlap)
            kept.append(torch.stack((torch.full_like(rows, picture), torch.zeros_like(rows), rows), dim=1))
        return torch.cat(kept)

    @staticmethod
    def symbolic(graph: Any, boxes: Any, scores: Any, most: int, overlap: float) -> Any:
        constants = (torch.tensor([most]), torch.tensor([overlap]), torch.tensor([PADDING / 2]))
        return graph.op(
            "NonMaxSuppression", boxes, scores, *(graph.op("Constant", value_t=value) for value in constants)
        )


def _suppressed(boxes: Tensor, scores: Tensor, most: int, overlap: float) -> Tensor:
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] > PADDING / 2]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    kept: list[Tensor] = []
    while len(order) and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(best)
        shared = torch.minimum(boxes[best, 2:], boxes[order, 2:]) - torch.maximum(boxes[best, :2], boxes[order, :2])
        shared = shared.clamp(min=0).prod(dim=1)
        order = order[shared / (areas[best] + areas[order] - shared) <= overlap]
    return torch.stack(kept) if kept else order


class RoiAlign(Function):
    """ONNX's RoiAlign: features (batch, c, h, w), boxes (n, 4), pictures (n,) int64 to (n, c, size, size).

    Two samples a side and cell, not aligned to half pixels: torchvision's default.
    """

    SAMPLES = 2

    @staticmethod
    def forward(_context: Any, features: Tensor, boxes: Tensor, pictures: Tensor, scale: float, size: int) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return features.new_zeros((len(boxes), features.shape[1], size, size))
        height, width = features.shape[2:]
        x, y = _sample_points(boxes[:, 0::2] * scale, size), _sample_points(boxes[:, 1::2] * scale, size)
        rows, columns = _weights(y, height), _weights(x, width)
        pooled = []
        for box, picture in enumerate(pictures.tolist()):
            top, bottom = _used(rows[box])
            left, right = _used(columns[box])
            region = features[picture, :, top:bottom, left:right]
            pooled.append(torch.einsum("ih,chw,jw->cij", rows[box, :, top:bottom], region, columns[box, :, left:right]))
        if not pooled:
            return features.new_zeros((0, features.shape[1], size, size))
        return torch.stack(pooled).unflatten(3, (size, -1)).mean(4).unflatten(2, (size, -1)).mean(3)

    @staticmethod
    def symbolic(graph: Any, features: Any, boxes: Any, pictures: Any, scale: float, size: int) -> Any:
        return graph.op(
            "RoiAlign",
            features,
            boxes,
            pictures,
            coordinate_transformation_mode_s="output_half_pixel",
            mode_s="avg",
            output_height_i=size,
            output_width_i=size,
            sampling_ratio_i=RoiAlign.SAMPLES,
            spatial_scale_f=scale,
        )


def _used(weights: Tensor) -> tuple[int, int]:
    """The range of cells (points, cells) that any point reads."""
    cells = weights.any(dim=0).nonzero()[:, 0].tolist() or [0]
    return cells[0], cells[-1] + 1


def _sample_points(ends: Tensor, size: int) -> Tensor:
    """(n, 2) first and last coordinate to (n, size * 2) sampled ones; a box is at least one cell long."""
    count = size * RoiAlign.SAMPLES
    length = (ends[:, 1] - ends[:, 0]).clamp(min=1.0)
    return ends[:, :1] + (torch.arange(count) + 0.5) * (length / count)[:, None]


def _weights(points: Tensor, cells: int) -> Tensor:
    """Bilinear weights (n, points, cells); a point more than one cell outside has none."""
    inside = (points >= -1) & (points <= cells)
    points = points.clamp(0, cells - 1)
    distance = (points[..., None] - torch.arange(cells)).abs()
    return (1 - distance).clamp(min=0) * inside[..., None]
