"""Losses of the two models."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def pairwise_iou(left: Tensor, right: Tensor) -> Tensor:
    """Boxes (..., n, 4) and (..., m, 4) ltrb to overlaps (..., n, m)."""
    a, b = left[..., :, None, :], right[..., None, :, :]
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides.prod(-1)
    areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return shared / (areas - shared).clamp(min=1e-6)


def complete_iou(left: Tensor, right: Tensor) -> Tensor:
    """CIoU (Zheng et al. 2020, arXiv 1911.08287) of boxes (n, 4) with (n, 4), ltrb; 1 for equal boxes."""
    sides = (torch.minimum(left[:, 2:], right[:, 2:]) - torch.maximum(left[:, :2], right[:, :2])).clamp(min=0)
    left_size, right_size = left[:, 2:] - left[:, :2], right[:, 2:] - right[:, :2]
    shared = sides.prod(1)
    iou = shared / (left_size.prod(1) + right_size.prod(1) - shared).clamp(min=1e-6)
    hull = torch.maximum(left[:, 2:], right[:, 2:]) - torch.minimum(left[:, :2], right[:, :2])
    between = ((left[:, :2] + left[:, 2:] - right[:, :2] - right[:, 2:]) / 2).square().sum(1)
    distance = between / hull.square().sum(1).clamp(min=1e-6)
    angle = torch.atan(right_size[:, 0] / right_size[:, 1].clamp(min=1e-3)) - torch.atan(
        left_size[:, 0] / left_size[:, 1].clamp(min=1e-3)
    )
    shape = 4 / math.pi**2 * angle.square()
    weight = (shape / (1 - iou + shape).clamp(min=1e-6)).detach()
    return iou - distance - weight * shape


def detection_loss(
    logits: Tensor, predicted: Tensor, wanted: Tensor, scores: Tensor, counted: Tensor, box_weight: float = 4.0
) -> tuple[Tensor, Tensor]:
    """Classification and box loss; logits, scores, counted (batch, anchors), boxes (batch, anchors, 4) ltrb pixels."""
    total = scores.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    positive = scores > 0
    overlap = complete_iou(predicted[positive], wanted[positive])
    return (entropy * counted).sum() / total, box_weight * ((1 - overlap) * scores[positive]).sum() / total


class CosineClassifier(nn.Module):
    """Identity logits as scaled cosines, the true one less a margin (CosFace, Wang et al. 2018, arXiv 1801.09414).

    Trains what retrieval uses: the angle. Embeddings (batch, D) and people (batch,) int64 to logits (batch, classes).
    """

    def __init__(self, dimension: int, classes: int, scale: float = 20.0, margin: float = 0.15) -> None:
        super().__init__()
        # Short rows: Adam's steps have a fixed length, so long ones would turn too slowly.
        self.weight = nn.Parameter(0.05 * torch.randn(classes, dimension))
        self._scale, self._margin = scale, margin

    def forward(self, embeddings: Tensor, people: Tensor) -> Tensor:
        cosines = functional.normalize(embeddings, dim=1) @ functional.normalize(self.weight, dim=1).T
        return self._scale * (cosines - self._margin * functional.one_hot(people, len(self.weight)))


def batch_hard_triplet(features: Tensor, people: Tensor, margin: float = 0.3) -> Tensor:
    """Hardest positive against hardest negative of each anchor (Hermans et al. 2017, arXiv 1703.07737).

    ``features`` (batch, D), ``people`` (batch,) int64. Give it unit vectors: with free lengths and look-alikes in every
    batch the easiest way out is to shrink all vectors until every distance is below the margin.
    """
    squares = features.square().sum(1)
    distances = (squares[:, None] + squares[None] - 2 * features @ features.T).clamp(min=1e-6).sqrt()
    same = people[:, None] == people[None]
    furthest = torch.where(same, distances, 0.0).amax(1)
    nearest = torch.where(same, torch.inf, distances).amin(1)
    return functional.relu(furthest - nearest + margin).mean()
