"""Task-aligned assignment (Feng et al. 2021, TOOD, arXiv 2108.07755): which grid points answer for which person."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model_builder.losses import pairwise_iou


@dataclass(frozen=True)
class Assignment:
    """Per grid point: the box that it answers for, its soft score (0 for background), and whether background counts."""

    boxes: Tensor  # (batch, anchors, 4) ltrb pixels
    scores: Tensor  # (batch, anchors)
    counted: Tensor  # (batch, anchors) bool; False where an ignored person stands


@dataclass(frozen=True)
class TaskAlignedAssigner:
    """Each person takes the ``top`` points of best ``score ** alpha * iou ** beta`` among those inside the box."""

    top: int = 8
    alpha: float = 0.5
    beta: float = 6.0
    least_side_px: float = 20.0

    @torch.no_grad()
    def __call__(self, scores: Tensor, predicted: Tensor, points: Tensor, boxes: Tensor, kinds: Tensor) -> Assignment:
        """Scores (batch, anchors), predicted boxes (batch, anchors, 4), points (anchors, 2), people's boxes
        (batch, people, 4) ltrb and kinds (batch, people): 1 person, 0 padding, -1 ignored person."""
        inside = _inside(points, boxes, self.least_side_px)  # (batch, people, anchors)
        people = (kinds == 1)[..., None]
        overlaps = torch.where(inside & people, pairwise_iou(boxes, predicted).clamp(min=0), 0.0)
        metric = scores[:, None].clamp(min=1e-9) ** self.alpha * overlaps**self.beta
        candidates = _top_mask(metric, self.top) & inside & people
        # A point asked for by several people goes to the one it fits best.
        contested = torch.where(candidates, overlaps + 1e-9, 0.0)
        owner = contested.argmax(1)
        taken = candidates & (torch.arange(boxes.shape[1])[:, None] == owner[:, None])
        metric, overlaps = metric * taken, overlaps * taken
        scale = overlaps.amax(2, keepdim=True) / metric.amax(2, keepdim=True).clamp(min=1e-12)
        ignored = (_inside(points, boxes, 0.0) & (kinds == -1)[..., None]).any(1)
        return Assignment(
            boxes=boxes.gather(1, owner[..., None].expand(-1, -1, 4)),
            scores=(metric * scale).amax(1),
            counted=taken.any(1) | ~ignored,
        )


def _inside(points: Tensor, boxes: Tensor, least_side_px: float) -> Tensor:
    """Whether points (anchors, 2) lie in boxes (batch, people, 4), small boxes being grown to ``least_side_px``."""
    centres, halves = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    reach = halves.clamp(min=least_side_px / 2)
    return ((points - centres[:, :, None]).abs() < reach[:, :, None]).all(-1)


def _top_mask(metric: Tensor, top: int) -> Tensor:
    best = metric.topk(min(top, metric.shape[2]), dim=2)
    return torch.zeros_like(metric, dtype=torch.bool).scatter_(2, best.indices, best.values > 0)
