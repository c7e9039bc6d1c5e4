"""A small anchor-free person detector with YOLOv8's output layout.

Written from the literature: cross-stage partial blocks (Wang et al. 2020, arXiv 1911.11929), a top-down and bottom-up
neck (Liu et al. 2018, arXiv 1803.01534), a decoupled head that predicts distances from each grid point to the four
sides of the box (Tian et al. 2019, FCOS, arXiv 1904.01355). Plain 3x3 convolutions with ReLU: ONNX Runtime fuses them
with their activation, and on CPUs they run nearer to the peak than depthwise ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, ReLU; the size is kept apart from the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvUnit(width, width), ConvUnit(width, width))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


class CrossStageBlock(nn.Module):
    """Half of the channels go through bottlenecks, the other half goes around them."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        half = outputs // 2
        self.deep = nn.Sequential(ConvUnit(inputs, half, 1), *(Bottleneck(half) for _ in range(depth)))
        self.around = ConvUnit(inputs, half, 1)
        self.fuse = ConvUnit(outputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.fuse(torch.cat((self.deep(features), self.around(features)), dim=1))


class PooledContext(nn.Module):
    """Max pools of growing reach over the coarsest map, so that a box may depend on the whole scene."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = ConvUnit(width, width // 2, 1)
        self.fuse = ConvUnit(width // 2 * 3, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        near = self.reduce(features)
        middle = functional.max_pool2d(near, 5, 1, 2)
        far = functional.max_pool2d(middle, 5, 1, 2)
        return self.fuse(torch.cat((near, middle, far), dim=1))


class Backbone(nn.Module):
    """Images to feature maps at strides 8, 16 and 32."""

    def __init__(self, widths: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        self.stem = nn.Sequential(ConvUnit(3, w2, 3, 2), ConvUnit(w2, w4, 3, 2), CrossStageBlock(w4, w4, 1))
        self.stage8 = nn.Sequential(ConvUnit(w4, w8, 3, 2), CrossStageBlock(w8, w8, 2))
        self.stage16 = nn.Sequential(ConvUnit(w8, w16, 3, 2), CrossStageBlock(w16, w16, 2))
        self.stage32 = nn.Sequential(ConvUnit(w16, w32, 3, 2), CrossStageBlock(w32, w32, 1), PooledContext(w32))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.stage8(self.stem(images))
        middle = self.stage16(fine)
        return fine, middle, self.stage32(middle)


class Neck(nn.Module):
    """Mixes the three maps downwards, then upwards; all leave with the same width."""

    def __init__(self, widths: tuple[int, int, int], width: int) -> None:
        super().__init__()
        w8, w16, w32 = widths
        self.lateral32 = ConvUnit(w32, width, 1)
        self.down16 = CrossStageBlock(w16 + width, width, 1)
        self.down8 = CrossStageBlock(w8 + width, width, 1)
        self.shrink8 = ConvUnit(width, width, 3, 2)
        self.up16 = CrossStageBlock(2 * width, width, 1)
        self.shrink16 = ConvUnit(width, width, 3, 2)
        self.up32 = CrossStageBlock(2 * width, width, 1)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        coarse = self.lateral32(coarse)
        middle = self.down16(torch.cat((_twice(coarse), middle), dim=1))
        fine = self.down8(torch.cat((_twice(middle), fine), dim=1))
        middle = self.up16(torch.cat((self.shrink8(fine), middle), dim=1))
        coarse = self.up32(torch.cat((self.shrink16(middle), coarse), dim=1))
        return fine, middle, coarse


def _twice(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


class Head(nn.Module):
    """One level's class logit and the four distances (in strides) from each grid point to the sides of the box."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.classify = nn.Sequential(ConvUnit(width, width), nn.Conv2d(width, 1, 1))
        self.locate = nn.Sequential(ConvUnit(width, width), nn.Conv2d(width, 4, 1))
        # Prior probability 0.01: RetinaNet's start (arXiv 1708.02002), else the many empty points drown the few people.
        nn.init.constant_(self.classify[-1].bias, -math.log(99.0))
        nn.init.constant_(self.locate[-1].bias, 1.5)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.classify(features).flatten(2), functional.softplus(self.locate(features)).flatten(2)


class PersonDetector(nn.Module):
    """RGB images in 0..1, (batch, 3, height, width) float32, to (batch, 5, anchors): xc, yc, w, h in pixels and score.

    Height and width must be multiples of 32. ``raw`` gives logits and ltrb distances for the loss.
    """

    def __init__(self, widths: tuple[int, int, int, int, int] = (16, 32, 64, 96, 128), neck_width: int = 64) -> None:
        super().__init__()
        self.backbone = Backbone(widths)
        self.neck = Neck(widths[2:], neck_width)
        self.heads = nn.ModuleList(Head(neck_width) for _ in STRIDES)

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, anchors) and distances left, top, right, bottom in pixels (batch, anchors, 4)."""
        levels = self.neck(*self.backbone(images))
        logits, distances = [], []
        for head, features, stride in zip(self.heads, levels, STRIDES, strict=True):
            logit, distance = head(features)
            logits.append(logit)
            distances.append(distance * stride)
        return torch.cat(logits, dim=2)[:, 0], torch.cat(distances, dim=2).transpose(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits, distances = self.raw(images)
        points, _ = grid_points(images.shape[2], images.shape[3], images.device)
        left_top, right_bottom = points - distances[..., :2], points + distances[..., 2:]
        centres, sizes = (left_top + right_bottom) / 2, right_bottom - left_top
        return torch.cat((centres, sizes, logits.sigmoid()[..., None]), dim=2).transpose(1, 2)


def grid_points(height_px: int, width_px: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Centres of all grid cells in pixels (anchors, 2), fine to coarse and row by row, and their strides (anchors,)."""
    points, strides = [], []
    for stride in STRIDES:
        rows, columns = int(height_px) // stride, int(width_px) // stride
        ys, xs = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points.append((torch.stack((xs, ys), dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(points).to(device), torch.cat(strides).to(device)
