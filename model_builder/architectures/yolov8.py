"""YOLOv8 n, s and m with the names of Ultralytics' checkpoints. The module is our own; their weights are AGPL-3.0.

Whoever offers a service with these weights has to offer its source under that licence, or buy another one. The
package `ultralytics` is under it too and is never imported: the checkpoints are read for their tensors only.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures.published import Published

STRIDES = (8, 16, 32)
BINS = 16  # a distance is the mean of a distribution over 0 to 15 strides
EPSILON = 1e-3


class ConvUnit(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=0.03)

    def forward(self, features: Tensor) -> Tensor:
        return functional.silu(self.bn(self.conv(features)))


class Bottleneck(nn.Module):
    """Two 3x3 convolutions, with or without a shortcut."""

    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2 = ConvUnit(width, width, 3), ConvUnit(width, width, 3)
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        deep = self.cv2(self.cv1(features))
        return features + deep if self.shortcut else deep


class CrossStage(nn.Module):
    """Two halves, and what every bottleneck makes of the second, all side by side (C2f)."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool = False) -> None:
        super().__init__()
        self.half = outputs // 2
        self.cv1 = ConvUnit(inputs, 2 * self.half)
        self.cv2 = ConvUnit((2 + depth) * self.half, outputs)
        self.m = nn.ModuleList(Bottleneck(self.half, shortcut) for _ in range(depth))

    def forward(self, features: Tensor) -> Tensor:
        parts = list(self.cv1(features).split(self.half, dim=1))
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.cv2(torch.cat(parts, dim=1))


class PooledContext(nn.Module):
    """Three max pools, one after the other, beside the features (SPPF)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = ConvUnit(width, width // 2), ConvUnit(2 * width, width)

    def forward(self, features: Tensor) -> Tensor:
        parts = [self.cv1(features)]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.cv2(torch.cat(parts, dim=1))


class Distances(nn.Module):
    """Distributions (batch, 64, cells) to their means (batch, 4, cells): left, top, right, bottom in strides."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(BINS, 1, 1, bias=False)
        self.conv.weight.data = torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1)
        self.conv.weight.requires_grad_(False)

    def forward(self, logits: Tensor) -> Tensor:
        shares = logits.unflatten(1, (4, BINS)).transpose(1, 2).softmax(1)
        return self.conv(shares)[:, 0]


class Decoding(nn.Module):
    """Distances (batch, 4, cells) and logits (batch, classes, cells) to the output."""

    def forward(self, distances: Tensor, logits: Tensor, points: Tensor, strides: Tensor) -> Tensor:
        starts, ends = points - distances[:, :2], points + distances[:, 2:]
        return torch.cat(((starts + ends) / 2 * strides, (ends - starts) * strides, logits.sigmoid()), dim=1)


class Head(nn.Module):
    """Per level one branch for the box and one for the classes; boxes decoded to pixels."""

    def __init__(self, widths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        box, kind = max(16, widths[0] // 4, 4 * BINS), max(widths[0], min(classes, 100))
        self.cv2 = nn.ModuleList(self._branch(width, box, 4 * BINS) for width in widths)
        self.cv3 = nn.ModuleList(self._branch(width, kind, classes) for width in widths)
        self.dfl, self.decode = Distances(), Decoding()

    @staticmethod
    def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(ConvUnit(inputs, hidden, 3), ConvUnit(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))

    def forward(self, levels: list[Tensor]) -> Tensor:
        boxes = torch.cat([branch(level).flatten(2) for branch, level in zip(self.cv2, levels, strict=True)], dim=2)
        scores = torch.cat([branch(level).flatten(2) for branch, level in zip(self.cv3, levels, strict=True)], dim=2)
        points, strides = cells([(int(level.shape[2]), int(level.shape[3])) for level in levels])
        return self.decode(self.dfl(boxes), scores, points, strides)


def cells(sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Centres (2, cells) of all levels in strides, x and y, and the strides (1, cells); float32 constants."""
    points, strides = [], []
    for stride, (rows, columns) in zip(STRIDES, sizes, strict=True):
        y, x = np.mgrid[:rows, :columns] + np.float32(0.5)
        points.append(np.stack((x.ravel(), y.ravel())))
        strides.append(np.full((1, rows * columns), stride))
    joined = (np.concatenate(parts, axis=1).astype(np.float32) for parts in (points, strides))
    centres, steps = (torch.from_numpy(part) for part in joined)
    return centres, steps


class YOLOv8(nn.Module):
    """RGB images in 0..1, (batch, 3, height, width) float32 in multiples of 32, to (batch, 4 + classes, cells).

    Rows: centre x, centre y, width, height in pixels, then probabilities of the classes. No suppression.
    """

    published = Published()
    # At 640 pixels FP16 has steps of half a pixel.
    keep_single_precision = ("model.22/dfl", "model.22/decode")

    def __init__(self, depth: float, width: float, largest: int, classes: int = 80) -> None:
        super().__init__()

        def wide(channels: int) -> int:
            return math.ceil(min(channels, largest) * width / 8) * 8

        w2, w4, w8, w16, w32 = (wide(channels) for channels in (64, 128, 256, 512, 1024))
        few, many = max(round(3 * depth), 1), max(round(6 * depth), 1)
        nothing = nn.Identity()  # where the published numbering has layers without weights
        self.model = nn.ModuleList(
            [
                ConvUnit(3, w2, 3, 2),
                ConvUnit(w2, w4, 3, 2),
                CrossStage(w4, w4, few, shortcut=True),
                ConvUnit(w4, w8, 3, 2),
                CrossStage(w8, w8, many, shortcut=True),
                ConvUnit(w8, w16, 3, 2),
                CrossStage(w16, w16, many, shortcut=True),
                ConvUnit(w16, w32, 3, 2),
                CrossStage(w32, w32, few, shortcut=True),
                PooledContext(w32),
                nothing,
                nothing,
                CrossStage(w32 + w16, w16, few),
                nothing,
                nothing,
                CrossStage(w16 + w8, w8, few),
                ConvUnit(w8, w8, 3, 2),
                nothing,
                CrossStage(w8 + w16, w16, few),
                ConvUnit(w16, w16, 3, 2),
                nothing,
                CrossStage(w16 + w32, w32, few),
                Head((w8, w16, w32), classes),
            ]
        )

    def forward(self, images: Tensor) -> Tensor:
        layers, features = self.model, images
        maps: dict[int, Tensor] = {}
        for index in range(10):
            features = maps[index] = layers[index](features)
        middle = layers[12](torch.cat((_twice(features), maps[6]), dim=1))
        fine = layers[15](torch.cat((_twice(middle), maps[4]), dim=1))
        middle = layers[18](torch.cat((layers[16](fine), middle), dim=1))
        coarse = layers[21](torch.cat((layers[19](middle), features), dim=1))
        output: Tensor = layers[22]([fine, middle, coarse])
        return output


def _twice(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


BUILDERS = {
    "yolov8n": partial(YOLOv8, 0.33, 0.25, 1024),
    "yolov8s": partial(YOLOv8, 0.33, 0.5, 1024),
    "yolov8m": partial(YOLOv8, 0.67, 0.75, 768),
}
