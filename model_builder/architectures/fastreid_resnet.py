"""FastReID's ResNets (He et al. 2020, arXiv 2006.02631; Apache-2.0) with the names of its checkpoints.

BoT is a ResNet with last stride 1, average pooling and a BN-neck; SBS adds non-local blocks and generalised-mean
pooling. FastReID's feature at test time is always the one after the BN-neck, whatever NECK_FEAT says (that is for the
triplet loss). Mean and deviation (ImageNet's, in 0..255) are the caller's: the checkpoint's buffers are dropped.

The checkpoints of its model zoo were trained at release 0.1.1; on 2020-08-14 the stem's max pool lost its padding,
which moves every window by one pixel, and on 2020-09-10 the BN-neck got another name, so that later releases load the
zoo's files without it and with another pool (its issues 427, 453 and 486). ``release`` chooses both together: a file
from another release does not fit.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures.published import Published

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks in each stage
# Non-local blocks after the last so many blocks of each stage.
NON_LOCAL = {50: (0, 2, 3, 0), 101: (0, 2, 9, 0)}
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4
DIMENSION = 2048
TRAINING_ONLY = ("pixel_mean", "pixel_std", "heads.classifier.", "heads.weight")
RELEASES = {
    "0.1": Published(drop=TRAINING_ONLY, rename={"heads.bnneck.": "heads.bottleneck.0."}),
    "1": Published(drop=TRAINING_ONLY),
}


class InstanceBatchNorm(nn.Module):
    """IBN-a (Pan et al. 2018, arXiv 1807.09441): instance norm for the first half of the channels, batch norm after."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(width - self.half)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat((self.IN(features[:, : self.half]), self.BN(features[:, self.half :])), dim=1)


class Bottleneck(nn.Module):
    """ResNet's 1x1, 3x3, 1x1 block with the stride in the 3x3."""

    def __init__(self, inputs: int, width: int, stride: int, *, ibn: bool) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = InstanceBatchNorm(width) if ibn else nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        shortcut = features if self.downsample is None else self.downsample(features)
        branch = functional.relu(self.bn1(self.conv1(features)))
        branch = functional.relu(self.bn2(self.conv2(branch)))
        return functional.relu(self.bn3(self.conv3(branch)) + shortcut)


class NonLocal(nn.Module):
    """Dot-product attention over all places, added to the map (Wang et al. 2018, arXiv 1711.07971).

    FastReID's has one inner channel (its ``reduc_ratio // reduc_ratio``), and its checkpoints hold that. The product
    is taken from the right: phi and g first give one number, instead of a matrix of places by places.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(width, 1, 1)
        self.W = nn.Sequential(nn.Conv2d(1, width, 1), nn.BatchNorm2d(width))
        self.theta = nn.Conv2d(width, 1, 1)
        self.phi = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        mean = (self.phi(features) * self.g(features)).mean((2, 3), keepdim=True)
        return self.W(self.theta(features) * mean) + features


class GeneralisedMean(nn.Module):
    """The mean of the p-th powers, p learnt (Radenovic et al. 2018, arXiv 1711.02512). Overflows in FP16 from about
    40 on, for p = 3: keep it in FP32 there."""

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.ones(1) * power)
        self.floor = floor

    def forward(self, features: Tensor) -> Tensor:
        powers = features.clamp(min=self.floor).pow(self.p)
        return functional.adaptive_avg_pool2d(powers, 1).pow(1.0 / self.p)


class Backbone(nn.Module):
    """Images to maps of 2,048 channels at stride 16."""

    def __init__(self, depth: int, *, ibn: bool, non_local: bool, padded_pool: bool) -> None:
        super().__init__()
        blocks = DEPTHS[depth]
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if padded_pool else nn.MaxPool2d(3, 2, ceil_mode=True)
        inputs = 64
        for stage, (width, count, stride) in enumerate(zip(WIDTHS, blocks, (1, 2, 2, 1), strict=True), start=1):
            with_ibn = ibn and stage < 4
            layers = [Bottleneck(inputs, width, stride, ibn=with_ibn)]
            inputs = width * EXPANSION
            layers += [Bottleneck(inputs, width, 1, ibn=with_ibn) for _ in range(count - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
            attentions = NON_LOCAL[depth][stage - 1] if non_local else 0
            setattr(self, f"NL_{stage}", nn.ModuleList(NonLocal(inputs) for _ in range(attentions)))

    def forward(self, images: Tensor) -> Tensor:
        features = self.maxpool(functional.relu(self.bn1(self.conv1(images))))
        for stage in range(1, 5):
            blocks, attentions = getattr(self, f"layer{stage}"), getattr(self, f"NL_{stage}")
            for index, block in enumerate(blocks):
                features = block(features)
                place = index - (len(blocks) - len(attentions))
                if place >= 0:
                    features = attentions[place](features)
        return features


class Head(nn.Module):
    """Pooling, then the BN-neck."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool_layer = pool
        self.bottleneck = nn.Sequential(nn.BatchNorm2d(DIMENSION))

    def forward(self, features: Tensor) -> Tensor:
        return self.bottleneck(self.pool_layer(features)).flatten(1)


class FastReidResNet(nn.Module):
    """(batch, 3, height, width) float32, mean and deviation taken off, to (batch, 2048) after the BN-neck, no L2.

    256x128 for BoT, 384x128 for SBS. ``depth`` 50 or 101; ``ibn``: IBN-a in the first three stages; ``strong``: SBS's
    non-local blocks and pooling; ``release``: "0.1" (the model zoo's files) or "1".
    """

    def __init__(self, depth: int = 50, *, ibn: bool = False, strong: bool = False, release: str = "0.1") -> None:
        super().__init__()
        if depth not in DEPTHS or release not in RELEASES:
            raise ValueError(
                f"expected depth in {list(DEPTHS)} and release in {list(RELEASES)}, found {depth!r} and {release!r}"
            )
        self.published = RELEASES[release]
        self.keep_single_precision = ("heads/pool_layer",) if strong else ()  # its powers overflow in FP16
        self.backbone = Backbone(depth, ibn=ibn, non_local=strong, padded_pool=release == "0.1")
        self.heads = Head(GeneralisedMean() if strong else nn.AdaptiveAvgPool2d(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.heads(self.backbone(images))


BUILDERS = {
    "fastreid_bot_r50": FastReidResNet,
    "fastreid_sbs_r50": partial(FastReidResNet, strong=True),
    "fastreid_sbs_r101_ibn": partial(FastReidResNet, depth=101, ibn=True, strong=True),
}
