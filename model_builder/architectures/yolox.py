"""YOLOX (Ge et al. 2021, arXiv 2107.08430) with the names of Megvii's checkpoints (Apache-2.0): nano and s.

The output is the one that Megvii exports for deployment, not decoded: offsets in cells, logarithms of sizes in strides,
and probabilities. The host multiplies by the strides (``decode: true`` of Savant's converter).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures.published import Published

LEVELS = (256, 512, 1024)  # channels at strides 8, 16 and 32 and width 1
HEAD = 256
EPSILON = 1e-3  # of the batch norms; Megvii trains and runs with this one, PyTorch's own is 1e-5
POOLS = (5, 9, 13)
EARLY = ("stem", "dark2", "dark3", "dark4")


class ConvUnit(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=0.03)

    def forward(self, features: Tensor) -> Tensor:
        return functional.silu(self.bn(self.conv(features)))


class SplitConv(nn.Module):
    """Nano's: depthwise, then pointwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = ConvUnit(inputs, inputs, kernel, stride, groups=inputs)
        self.pconv = ConvUnit(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.pconv(self.dconv(features))


class Bottleneck(nn.Module):
    """1x1 and 3x3 at one width, with or without a shortcut."""

    def __init__(self, width: int, shortcut: bool, conv: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = ConvUnit(width, width, 1)
        self.conv2 = conv(width, width, 3)
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        deep = self.conv2(self.conv1(features))
        return features + deep if self.shortcut else deep


class CrossStage(nn.Module):
    """Half of the channels through bottlenecks (``m``), the other half around them."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool, conv: type[nn.Module]) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = ConvUnit(inputs, half, 1)
        self.conv2 = ConvUnit(inputs, half, 1)
        self.conv3 = ConvUnit(2 * half, outputs, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut, conv) for _ in range(depth)))

    def forward(self, features: Tensor) -> Tensor:
        deep, around = self.conv1(features), self.conv2(features)
        return self.conv3(torch.cat((self.m(deep), around), dim=1))


class PooledContext(nn.Module):
    """Max pools of three sizes beside the features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = ConvUnit(width, half, 1)
        self.conv2 = ConvUnit(half * (len(POOLS) + 1), width, 1)

    def forward(self, features: Tensor) -> Tensor:
        features = self.conv1(features)
        pooled = [functional.max_pool2d(features, size, 1, size // 2) for size in POOLS]
        return self.conv2(torch.cat((features, *pooled), dim=1))


class Focus(nn.Module):
    """Every second pixel in four groups of channels, then a convolution at half the size."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = ConvUnit(12, outputs, 3)

    def forward(self, images: Tensor) -> Tensor:
        even, odd = images[:, :, ::2], images[:, :, 1::2]
        # Columns change slower than rows in the published order.
        return self.conv(torch.cat((even[..., ::2], odd[..., ::2], even[..., 1::2], odd[..., 1::2]), dim=1))


class Backbone(nn.Module):
    """CSPDarknet: images to maps at strides 8, 16 and 32."""

    def __init__(self, depth: float, width: float, conv: type[nn.Module]) -> None:
        super().__init__()
        base, repeats = int(64 * width), max(round(3 * depth), 1)

        def stage(outputs: int, times: int) -> nn.Sequential:
            return nn.Sequential(conv(outputs // 2, outputs, 3, 2), CrossStage(outputs, outputs, times, True, conv))

        self.stem = Focus(base)
        self.dark2 = stage(2 * base, repeats)
        self.dark3 = stage(4 * base, 3 * repeats)
        self.dark4 = stage(8 * base, 3 * repeats)
        last = 16 * base
        self.dark5 = nn.Sequential(
            conv(last // 2, last, 3, 2), PooledContext(last), CrossStage(last, last, repeats, False, conv)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.dark3(self.dark2(self.stem(images)))
        middle = self.dark4(fine)
        return fine, middle, self.dark5(middle)


class PyramidNeck(nn.Module):
    """The backbone and, over it, a path down and a path up (PAFPN)."""

    def __init__(self, depth: float, width: float, conv: type[nn.Module]) -> None:
        super().__init__()
        w8, w16, w32 = (int(channels * width) for channels in LEVELS)
        block = partial(CrossStage, depth=round(3 * depth), shortcut=False, conv=conv)
        self.backbone = Backbone(depth, width, conv)
        self.lateral_conv0 = ConvUnit(w32, w16, 1)
        self.C3_p4 = block(2 * w16, w16)
        self.reduce_conv1 = ConvUnit(w16, w8, 1)
        self.C3_p3 = block(2 * w8, w8)
        self.bu_conv2 = conv(w8, w8, 3, 2)
        self.C3_n3 = block(2 * w8, w16)
        self.bu_conv1 = conv(w16, w16, 3, 2)
        self.C3_n4 = block(2 * w16, w32)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = self.backbone(images)
        top = self.lateral_conv0(coarse)
        centre = self.reduce_conv1(self.C3_p4(torch.cat((_twice(top), middle), dim=1)))
        out8 = self.C3_p3(torch.cat((_twice(centre), fine), dim=1))
        out16 = self.C3_n3(torch.cat((self.bu_conv2(out8), centre), dim=1))
        out32 = self.C3_n4(torch.cat((self.bu_conv1(out16), top), dim=1))
        return out8, out16, out32


def _twice(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


class Head(nn.Module):
    """Per level: a stem, then one branch for the classes and one for the box and whether there is anything."""

    def __init__(self, classes: int, width: float, conv: type[nn.Module]) -> None:
        super().__init__()
        hidden = int(HEAD * width)

        def branch() -> nn.Sequential:
            return nn.Sequential(conv(hidden, hidden, 3), conv(hidden, hidden, 3))

        def predictions(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(hidden, outputs, 1) for _ in LEVELS)

        self.stems = nn.ModuleList(ConvUnit(int(channels * width), hidden, 1) for channels in LEVELS)
        self.cls_convs = nn.ModuleList(branch() for _ in LEVELS)
        self.reg_convs = nn.ModuleList(branch() for _ in LEVELS)
        self.cls_preds, self.reg_preds, self.obj_preds = predictions(classes), predictions(4), predictions(1)

    def forward(self, levels: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        outputs = []
        for index, features in enumerate(levels):
            features = self.stems[index](features)
            classes = self.cls_preds[index](self.cls_convs[index](features))
            features = self.reg_convs[index](features)
            box, anything = self.reg_preds[index](features), self.obj_preds[index](features)
            outputs.append(torch.cat((box, anything.sigmoid(), classes.sigmoid()), dim=1).flatten(2))
        return torch.cat(outputs, dim=2).transpose(1, 2)


class YOLOX(nn.Module):
    """Images BGR 0..255, (batch, 3, height, width) float32 in multiples of 32, to (batch, cells, 5 + classes).

    A row holds x, y (offset in cells), logarithms of width and height in strides, the probability that there is
    anything, and the classes' probabilities. Cells from stride 8 to 32, row by row.
    """

    published = Published()

    def __init__(self, depth: float, width: float, depthwise: bool = False, classes: int = 80) -> None:
        super().__init__()
        conv = SplitConv if depthwise else ConvUnit
        # Nano's early depthwise layers have weights of 0.0001 to 18 side by side: in FP16 their rounding alone moved
        # the published network's output to a cosine of 0.9958; with these parts in FP32 it is 0.999996.
        self.keep_single_precision = tuple(f"backbone/backbone/{part}" for part in EARLY) if depthwise else ()
        self.backbone = PyramidNeck(depth, width, conv)
        self.head = Head(classes, width, conv)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.head(self.backbone(images))
        return output


BUILDERS = {
    "yolox-nano": partial(YOLOX, 0.33, 0.25, depthwise=True),
    "yolox-s": partial(YOLOX, 0.33, 0.5),
}
