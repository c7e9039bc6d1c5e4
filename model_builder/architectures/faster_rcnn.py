"""Faster R-CNN with ResNet-50 and a feature pyramid (arXiv 1506.01497, 1612.03144), torchvision's names (BSD-3-Clause).

torchvision resizes every picture to a short side of 800 pixels; here the input has the size that it has, so published
figures hold for inputs of about that size only.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures import rcnn_boxes
from model_builder.architectures.published import Published

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride
PYRAMID = 256
ANCHOR_SIZES = (32.0, 64.0, 128.0, 256.0, 512.0)
POOLED = 7
HIDDEN = 1024
# The weights of 2020 call the convolutions of the pyramid and of the proposals without torchvision's later ".0"; those
# that torchvision saves today have it, and both are taken.
_LATER = [f"backbone.fpn.{kind}_blocks.{level}.0" for kind in ("inner", "layer") for level in range(4)]
_EARLIER = {name.removesuffix(".0"): name for name in _LATER} | {"rpn.head.conv": "rpn.head.conv.0.0"}
RENAMED = {
    f"{name}.{part}": f"{ours}.{part}"
    for ours in _EARLIER.values()
    for name in (ours, *(theirs for theirs in _EARLIER if _EARLIER[theirs] == ours))
    for part in ("weight", "bias")
}


class FrozenNorm(nn.Module):
    """Batch norm with fixed statistics and nothing added to the variance, as the published weights were trained."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((width,), value))

    def forward(self, features: Tensor) -> Tensor:
        return functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=0.0
        )


class Bottleneck(nn.Module):
    """1x1, 3x3 (which has the stride), 1x1 around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), FrozenNorm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), FrozenNorm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), FrozenNorm(4 * width)
        self.downsample: nn.Module = nn.Identity()
        if inputs != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), FrozenNorm(4 * width))

    def forward(self, features: Tensor) -> Tensor:
        deep = functional.relu(self.bn1(self.conv1(features)))
        deep = self.bn3(self.conv3(functional.relu(self.bn2(self.conv2(deep)))))
        return functional.relu(deep + self.downsample(features))


class Body(nn.Module):
    """ResNet-50 without its head: maps at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), FrozenNorm(64)
        inputs = 64
        for number, (width, blocks, stride) in enumerate(STAGES, 1):
            stage = [Bottleneck(inputs, width, stride)]
            stage += [Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*stage))
            inputs = 4 * width

    def forward(self, images: Tensor) -> list[Tensor]:
        features = functional.max_pool2d(functional.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        maps = []
        for number in range(1, 5):
            features = getattr(self, f"layer{number}")(features)
            maps.append(features)
        return maps


class Pyramid(nn.Module):
    """Four maps to five of one width; the fifth is every second cell of the fourth."""

    def __init__(self) -> None:
        super().__init__()
        widths = [4 * width for width, _, _ in STAGES]
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(width, PYRAMID, 1)) for width in widths)
        self.layer_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1)) for _ in widths)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        top = self.inner_blocks[3](maps[3])
        levels = [self.layer_blocks[3](top)]
        for level in (2, 1, 0):
            side = self.inner_blocks[level](maps[level])
            top = side + functional.interpolate(top, size=(int(side.shape[2]), int(side.shape[3])), mode="nearest")
            levels.insert(0, self.layer_blocks[level](top))
        return [*levels, levels[3][:, :, ::2, ::2]]


class ProposalHead(nn.Module):
    """Per level: whether there is anything at each anchor, and its box."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1), nn.ReLU()))
        self.cls_logits = nn.Conv2d(PYRAMID, 3, 1)
        self.bbox_pred = nn.Conv2d(PYRAMID, 12, 1)

    def forward(self, levels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        hidden = [self.conv(level) for level in levels]
        return [(self.cls_logits(level), self.bbox_pred(level)) for level in hidden]


class Proposals(nn.Module):
    """The head's output to the ``most`` best boxes (batch, most, 4) and scores (batch, most), padded."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, heads: list[tuple[Tensor, Tensor]], height: int, width: int) -> tuple[Tensor, Tensor]:
        boxes, scores, groups = [], [], []
        for level, (logits, deltas) in enumerate(heads):
            rows, columns = int(logits.shape[2]), int(logits.shape[3])
            anchors = rcnn_boxes.grid_anchors(rows, columns, (height // rows, width // columns), ANCHOR_SIZES[level])
            logits = logits.permute(0, 2, 3, 1).reshape(-1, len(anchors))
            score, index = logits.topk(min(self.most, len(anchors)), dim=1)
            delta = rcnn_boxes.rows_of(deltas.permute(0, 2, 3, 1).reshape(-1, len(anchors), 4), index)
            boxes.append(rcnn_boxes.decoded(anchors[index], delta, (1.0, 1.0, 1.0, 1.0)))
            scores.append(score.sigmoid())
            groups.append(torch.full_like(score, float(level)))
        corners = rcnn_boxes.clipped(torch.cat(boxes, dim=1), height, width)
        likely = rcnn_boxes.without_small(corners, torch.cat(scores, dim=1), 1e-3)
        most = min(self.most, likely.shape[1])
        best, index = rcnn_boxes.best_apart(
            corners, likely, torch.cat(groups, dim=1), max(height, width) + 1, 0.7, most
        )
        return rcnn_boxes.rows_of(corners, index), best


class Pooling(nn.Module):
    """Boxes (batch, n, 4) to (batch * n, 256, 7, 7), each from the level whose cells fit its size."""

    def forward(self, levels: list[Tensor], boxes: Tensor) -> Tensor:
        pictures = torch.arange(boxes.shape[0])[:, None].expand(-1, boxes.shape[1]).reshape(-1)
        boxes = boxes.reshape(-1, 4)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        level_of = (4.0 + (areas.sqrt() / 224.0).log2() + 1e-6).floor().clamp(2, 5)
        pooled = levels[0].new_zeros((1, PYRAMID, POOLED, POOLED)).repeat(boxes.shape[0], 1, 1, 1)
        for level, features in enumerate(levels[:4]):
            rows = (level_of == level + 2).nonzero()[:, 0]
            part = rcnn_boxes.RoiAlign.apply(features, boxes[rows], pictures[rows], 0.25 / 2**level, POOLED)
            pooled = pooled.index_put((rows,), part)
        return pooled


class BoxHead(nn.Module):
    """What was pooled to a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(PYRAMID * POOLED**2, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, pooled: Tensor) -> Tensor:
        return functional.relu(self.fc7(functional.relu(self.fc6(pooled.flatten(1)))))


class Predictor(nn.Module):
    """The vector to logits of the classes and one box per class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(HIDDEN, classes), nn.Linear(HIDDEN, 4 * classes)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(hidden), self.bbox_pred(hidden)


class Detections(nn.Module):
    """Logits and boxes per proposal and class to (batch, 4 + classes, most), the best first, zeros behind them."""

    CANDIDATES = 2000

    def __init__(self, classes: int, most: int, least_score: float) -> None:
        super().__init__()
        self.classes, self.most, self.least_score = classes, most, least_score

    def forward(
        self, logits: Tensor, deltas: Tensor, proposals: Tensor, valid: Tensor, size: tuple[int, int]
    ) -> Tensor:
        count, foreground = proposals.shape[1], self.classes - 1
        scores = logits.softmax(dim=1)[:, 1:].reshape(-1, count, foreground)
        scores = torch.where((scores > self.least_score) & (valid > 0)[..., None], scores, rcnn_boxes.PADDING)
        scores, index = scores.flatten(1).topk(min(self.CANDIDATES, count * foreground), dim=1)
        labels = index % foreground + 1
        origins = torch.div(index, foreground, rounding_mode="floor")
        delta = rcnn_boxes.rows_of(deltas.reshape(-1, count * self.classes, 4), origins * self.classes + labels)
        boxes = rcnn_boxes.decoded(rcnn_boxes.rows_of(proposals, origins), delta, (10.0, 10.0, 5.0, 5.0))
        boxes = rcnn_boxes.clipped(boxes, *size)
        scores = rcnn_boxes.without_small(boxes, scores, 1e-2)
        best, index = rcnn_boxes.best_apart(boxes, scores, labels.float(), max(size) + 1, 0.5, self.most)
        return self._table(rcnn_boxes.rows_of(boxes, index), labels.gather(1, index), best)

    def _table(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> Tensor:
        scores = scores.clamp(min=0)
        centres, sizes = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
        found = torch.cat((centres, sizes), dim=2) * (scores > 0)[..., None]
        of_class = labels[:, None] == torch.arange(self.classes)[None, :, None]
        return torch.cat((found.transpose(1, 2), of_class * scores[:, None]), dim=1)


class FasterRCNN(nn.Module):
    """Normalised RGB images (batch, 3, height, width) float32 to (batch, 4 + classes, boxes), a YOLOv8's layout.

    Rows 0 to 3: centre x, centre y, width and height, pixels of the input; then one row per class, of which the one of
    the box's label holds its score. Suppression is done; columns beyond what was found are 0. Height and width:
    multiples of 32. proposals: how many boxes the second stage looks at; torchvision's 1000 by default.
    """

    published = Published(rename=RENAMED)
    keep_single_precision = ("proposals", "pooling", "detections")

    def __init__(self, classes: int = 91, boxes: int = 100, proposals: int = 1000, least_score: float = 0.05) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({"body": Body(), "fpn": Pyramid()})
        self.rpn = nn.ModuleDict({"head": ProposalHead()})
        self.roi_heads = nn.ModuleDict({"box_head": BoxHead(), "box_predictor": Predictor(classes)})
        self.proposals, self.pooling = Proposals(proposals), Pooling()
        self.detections = Detections(classes, boxes, least_score)

    def forward(self, images: Tensor) -> Tensor:
        size = int(images.shape[2]), int(images.shape[3])
        levels = self.backbone["fpn"](self.backbone["body"](images))
        proposals, scores = self.proposals(self.rpn["head"](levels), *size)
        hidden = self.roi_heads["box_head"](self.pooling(levels, proposals))
        logits, deltas = self.roi_heads["box_predictor"](hidden)
        output: Tensor = self.detections(logits, deltas, proposals, scores, size)
        return output


BUILDERS = {"faster-rcnn-resnet50-fpn": partial(FasterRCNN)}
