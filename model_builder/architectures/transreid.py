"""TransReID (He et al. 2021, arXiv 2102.04378; MIT) and PersonViT (Hu et al. 2024, arXiv 2408.05398), their names.

Both use the features before the BN-neck at test time (their configurations' NECK_FEAT: before): the necks and the
classifiers of a checkpoint are dropped. With TransReID's jigsaw patches (JPM) the feature is the class token's of one
last block over all patches, and a quarter of those of another over four shuffled groups: five in a row.

Side information (SIE) is a learnt row for each camera (and view) of the training set, added to every token. A camera
of another site has none. Without labels the mean of the rows is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from model_builder.architectures.published import Published
from model_builder.architectures.vit import Block, LayerNorm, Trunk

DEPTH = 12
SHIFT, GROUPS, PARTS = 5, 2, 4  # SHIFT_NUM, SHUFFLE_GROUP and DEVIDE_LENGTH of all its recipes for people
# Trained with, but not used at test time; base.fc is ImageNet's classifier, there and never used.
TRAINING_ONLY = ("base.fc.", "classifier.", "bottleneck.")
JIGSAW_TRAINING_ONLY = (
    *TRAINING_ONLY,
    *(f"{kind}_{part + 1}." for part in range(PARTS) for kind in ("classifier", "bottleneck")),
    f"base.blocks.{DEPTH - 1}.",  # b1 and b2 started as its copies and stand in its place
    "base.norm.",
)


class TransReID(nn.Module):
    """(batch, 3, height, width) float32, normalised by 0.5 and 0.5, to (batch, width), five times as wide with JPM.

    ``size`` is the only size of the images in pixels. ``cameras`` and ``views``: of the training set where the
    checkpoint has side information, weighted by ``coefficient`` (SIE_COE); 0 where it has none.
    """

    def __init__(
        self,
        size: Sequence[int] = (256, 128),
        *,
        stride: int = 16,
        width: int = 768,
        heads: int = 12,
        jigsaw: bool = True,
        cameras: int = 0,
        views: int = 0,
        coefficient: float = 3.0,
    ) -> None:
        super().__init__()
        self.cameras, self.views, self.jigsaw = cameras, views, jigsaw
        self.published = Published(drop=JIGSAW_TRAINING_ONLY if jigsaw else TRAINING_ONLY)
        self.base = Trunk(
            (size[0], size[1]),
            stride=stride,
            width=width,
            heads=heads,
            depth=DEPTH - 1 if jigsaw else DEPTH,
            bare=jigsaw,
            sides=max(cameras, 1) * max(views, 1),
            coefficient=coefficient,
        )
        if jigsaw:
            self.b1 = nn.Sequential(Block(width, heads), LayerNorm(width))
            self.b2 = nn.Sequential(Block(width, heads), LayerNorm(width))

    def forward(self, images: Tensor, camera: Tensor | None = None, view: Tensor | None = None) -> Tensor:
        """``camera`` and ``view``: (batch,) int64 labels of the training set, from 0; None for the mean row."""
        tokens = self.base(images, self.side(camera, view))
        return self.five(tokens) if self.jigsaw else tokens[:, 0]

    def side(self, camera: Tensor | None, view: Tensor | None) -> Tensor | None:
        """Rows of side information (batch, 1, width), their mean (1, 1, width), or None where there is none."""
        rows = self.base.sie_embed
        given = (camera is not None, view is not None)
        expected = (self.cameras > 1, self.views > 1) if rows is not None else (False, False)
        if given not in (expected, (False, False)):
            raise ValueError(f"(camera, view) labels: expected {expected}, found {given}")
        if rows is None:
            return None
        if camera is None and view is None:
            return rows.mean(0, keepdim=True)
        if camera is None or view is None:
            return rows[view if camera is None else camera]
        return rows[camera * self.views + view]

    def fold_side(self, rows: Sequence[int] | None = None) -> None:
        """Adds the mean of these rows of side information (None: of all) to the positions, for good.

        After that the network takes images only: one for each camera group where only images can be fed. A row is
        ``camera``, or ``camera * views + view``. ValueError where there is none, or no such row.
        """
        side = self.base.sie_embed
        if side is None:
            raise ValueError("expected a network with side information, found none in this one")
        chosen = range(len(side)) if rows is None else rows
        if not chosen or not all(0 <= row < len(side) for row in chosen):
            raise ValueError(f"rows of side information: expected some of 0 to {len(side) - 1}, found {list(chosen)}")
        with torch.no_grad():
            self.base.pos_embed += self.base.coefficient * side[list(chosen)].mean(0, keepdim=True)
        self.base.register_parameter("sie_embed", None)

    def five(self, tokens: Tensor) -> Tensor:
        """The class token's feature over all patches, and a quarter of those over each group of shuffled patches."""
        features = [self.b1(tokens)[:, 0]]
        patches = self.shuffled(tokens)
        length = self.base.patches // PARTS  # up to three patches are in no group: 2 of 210 at stride 12
        for part in range(PARTS):
            group = patches[:, part * length : (part + 1) * length]
            features.append(self.b2(torch.cat((tokens[:, :1], group), dim=1))[:, 0] / PARTS)
        return torch.cat(features, dim=1)

    def shuffled(self, tokens: Tensor) -> Tensor:
        """Patches moved on by SHIFT - 1, cut into GROUPS and interleaved."""
        moved = torch.cat((tokens[:, SHIFT:], tokens[:, 1:SHIFT]), dim=1)
        if self.base.patches % GROUPS:
            moved = torch.cat((moved, moved[:, -2:-1]), dim=1)  # the last but one again, as in the original
        batch, count, width = moved.shape
        return moved.reshape(batch, GROUPS, count // GROUPS, width).transpose(1, 2).reshape(batch, count, width)


BUILDERS = {
    "transreid_vit_b": partial(TransReID, stride=12),
    "personvit_s": partial(TransReID, width=384, heads=6, jigsaw=False),
    "personvit_b": partial(TransReID, jigsaw=False),
}
