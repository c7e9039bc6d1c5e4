"""A small OSNet (Zhou et al. 2019, arXiv 1905.00953) for 128x64 crops, written from the paper.

An omni-scale block adds four streams of one to four lite 3x3 convolutions, each weighted per channel by one shared
aggregation gate. Differences from the paper: a 3x3 stem (a 7x7 one costs half of the time at this size), an embedding
that is normalised inside the graph, and per-channel mean and standard deviation inside the graph too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# ImageNet's statistics in 0..255, RGB; the usual ones of re-ID models.
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)


class ConvUnit(nn.Sequential):
    """Convolution, batch norm and, unless it is the last of a residual branch, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, active: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if active:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class LiteConv(nn.Sequential):
    """The paper's lite 3x3: pointwise, then depthwise."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(width, width, 1, bias=False),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )


class AggregationGate(nn.Module):
    """Channel weights from the stream itself; shared by the streams of a block (the paper's equation 5)."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(width // reduction, 4)
        self.weigh = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, width, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features * torch.sigmoid(self.weigh(features.mean((2, 3), keepdim=True)))


class OmniScaleBlock(nn.Module):
    """Residual block whose branch sees four scales at once."""

    def __init__(self, inputs: int, outputs: int, scales: int = 4) -> None:
        super().__init__()
        width = outputs // 4
        self.reduce = ConvUnit(inputs, width)
        self.streams = nn.ModuleList(nn.Sequential(*(LiteConv(width) for _ in range(n + 1))) for n in range(scales))
        self.gate = AggregationGate(width)
        self.expand = ConvUnit(width, outputs, active=False)
        self.shortcut = ConvUnit(inputs, outputs, active=False) if inputs != outputs else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        reduced = self.reduce(features)
        mixed = torch.stack([self.gate(stream(reduced)) for stream in self.streams]).sum(0)
        return functional.relu(self.expand(mixed) + self.shortcut(features))


class OSNetEmbedder(nn.Module):
    """RGB crops in 0..255, (batch, 3, 128, 64) float32, to L2-normalised embeddings (batch, dimension).

    ``features`` are those after the BN-neck (Luo et al. 2019, arXiv 1903.07071), not yet of length one.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (32, 128, 192, 256), dimension: int = 256) -> None:
        super().__init__()
        stem, w1, w2, w3 = widths
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD_RGB).view(1, 3, 1, 1))
        self.body = nn.Sequential(
            ConvUnit(3, stem, 3, 2),
            nn.MaxPool2d(3, 2, 1),
            OmniScaleBlock(stem, w1),
            OmniScaleBlock(w1, w1),
            ConvUnit(w1, w1),
            nn.AvgPool2d(2),
            OmniScaleBlock(w1, w2),
            OmniScaleBlock(w2, w2),
            ConvUnit(w2, w2),
            nn.AvgPool2d(2),
            OmniScaleBlock(w2, w3),
            OmniScaleBlock(w3, w3),
            ConvUnit(w3, w3),
        )
        self.project = nn.Linear(w3, dimension)
        self.neck = nn.BatchNorm1d(dimension)
        self.neck.bias.requires_grad_(False)

    def features(self, crops: Tensor) -> Tensor:
        maps = self.body((crops - self.mean) / self.std)
        return self.neck(self.project(maps.mean((2, 3))).float())

    def forward(self, crops: Tensor) -> Tensor:
        return functional.normalize(self.features(crops), dim=1)
