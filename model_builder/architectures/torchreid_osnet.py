"""OSNet with the names of Torchreid's checkpoints (Zhou et al., arXiv 1905.00953; AIN: arXiv 1910.06827; both MIT).

The demo's own OSNet (osnet.py) has another stem, a BN-neck and other names, so that it shares nothing with these but
the idea. The feature that Torchreid uses at test time is the output of ``fc``: linear, batch norm, ReLU. It is not
negative, and not of length one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures.published import Published

CHANNELS = (64, 256, 384, 512)  # of the stem and the three stages at width 1.0
DIMENSION = 512
SCALES = 4
# Where AIN's search put instance norm, by stage and block.
AIN_INSTANCE_NORM = ((True, True), (False, True), (True, False))


class ConvNorm(nn.Module):
    """Convolution, normalisation, and ReLU unless ``active`` is false."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        norm: type[nn.Module] | None = nn.BatchNorm2d,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        options = {"affine": True} if norm is nn.InstanceNorm2d else {}
        self.bn = None if norm is None else norm(outputs, **options)
        self.active = active

    def forward(self, features: Tensor) -> Tensor:
        features = self.conv(features)
        if self.bn is not None:
            features = self.bn(features)
        return functional.relu(features) if self.active else features


class LiteConv(nn.Module):
    """Pointwise, then depthwise 3x3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv2(self.conv1(features))))


class Gate(nn.Module):
    """Weights of the channels from their means; one gate for all streams of a block."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // reduction, 1)
        self.fc2 = nn.Conv2d(width // reduction, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        means = functional.adaptive_avg_pool2d(features, 1)
        return features * torch.sigmoid(self.fc2(functional.relu(self.fc1(means))))


class OmniScaleBlock(nn.Module):
    """Residual block of four streams, with IBN's instance norm after the sum if ``instance_norm``."""

    def __init__(self, inputs: int, outputs: int, *, instance_norm: bool = False) -> None:
        super().__init__()
        width = outputs // 4
        self.conv1 = ConvNorm(inputs, width)
        self.build_streams(width)
        self.gate = Gate(width)
        inside = instance_norm and self.norm_inside
        self.conv3 = ConvNorm(width, outputs, norm=None if inside else nn.BatchNorm2d, active=False)
        self.downsample = ConvNorm(inputs, outputs, active=False) if inputs != outputs else None
        self.IN = nn.InstanceNorm2d(outputs, affine=True) if instance_norm else None

    norm_inside = False  # IBN normalises the sum, AIN only the branch, instead of conv3's batch norm

    def build_streams(self, width: int) -> None:
        self.conv2a = LiteConv(width)
        for depth, letter in enumerate("bcd", start=2):
            setattr(self, f"conv2{letter}", nn.Sequential(*(LiteConv(width) for _ in range(depth))))

    def streams(self) -> Iterable[nn.Module]:
        return (self.conv2a, self.conv2b, self.conv2c, self.conv2d)

    def forward(self, features: Tensor) -> Tensor:
        reduced = self.conv1(features)
        branch = self.conv3(sum(self.gate(stream(reduced)) for stream in self.streams()))
        shortcut = features if self.downsample is None else self.downsample(features)
        if self.IN is None:
            return functional.relu(branch + shortcut)
        normed = self.IN(branch) + shortcut if self.norm_inside else self.IN(branch + shortcut)
        return functional.relu(normed)


class _Stream(nn.Module):
    """AIN's extra level of names around a stream."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(LiteConv(width) for _ in range(depth)))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class AinBlock(OmniScaleBlock):
    """AIN's block: the same streams under other names, instance norm inside the branch."""

    norm_inside = True

    def build_streams(self, width: int) -> None:
        self.conv2 = nn.ModuleList(_Stream(width, depth + 1) for depth in range(SCALES))

    def streams(self) -> Iterable[nn.Module]:
        return self.conv2


class TorchreidOSNet(nn.Module):
    """(batch, 3, 256, 128) float32, ImageNet's mean and deviation taken off, to (batch, 512), not negative, no L2.

    ``width`` 0.25, 0.5, 0.75 or 1.0. ``instance_norm``: None, "ibn" (stem and first stage) or "ain".
    """

    published = Published(drop=("classifier.",))

    def __init__(self, width: float = 1.0, instance_norm: str | None = None) -> None:
        super().__init__()
        if instance_norm not in (None, "ibn", "ain"):
            raise ValueError(f"instance_norm: expected None, 'ibn' or 'ain', found {instance_norm!r}")
        stem, *stages = (round(channels * width) for channels in CHANNELS)
        ain = instance_norm == "ain"
        self.conv1 = ConvNorm(3, stem, 7, 2, norm=nn.InstanceNorm2d if instance_norm else nn.BatchNorm2d)
        for index, (inputs, outputs) in enumerate(zip((stem, *stages[:2]), stages, strict=True)):
            norms = AIN_INSTANCE_NORM[index] if ain else (instance_norm == "ibn" and index == 0,) * 2
            block = AinBlock if ain else OmniScaleBlock
            layers: list[nn.Module] = [
                block(inputs, outputs, instance_norm=norms[0]),
                block(outputs, outputs, instance_norm=norms[1]),
            ]
            if index < 2:
                shrink = nn.Sequential(ConvNorm(outputs, outputs), nn.AvgPool2d(2))
                if ain:
                    setattr(self, f"pool{index + 2}", shrink)
                else:
                    layers.append(shrink)
            setattr(self, f"conv{index + 2}", nn.Sequential(*layers))
        self.conv5 = ConvNorm(stages[2], stages[2])
        self.fc = nn.Sequential(nn.Linear(stages[2], DIMENSION), nn.BatchNorm1d(DIMENSION), nn.ReLU())
        self._maps = ("conv2", "pool2", "conv3", "pool3", "conv4") if ain else ("conv2", "conv3", "conv4")

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.max_pool2d(self.conv1(images), 3, 2, 1)
        for name in self._maps:
            maps = getattr(self, name)(maps)
        return self.fc(functional.adaptive_avg_pool2d(self.conv5(maps), 1).flatten(1))


BUILDERS = {
    "osnet_x0_25": partial(TorchreidOSNet, width=0.25),
    "osnet_x1_0": TorchreidOSNet,
    "osnet_ain_x1_0": partial(TorchreidOSNet, instance_norm="ain"),
    "osnet_ibn_x1_0": partial(TorchreidOSNet, instance_norm="ibn"),
}
