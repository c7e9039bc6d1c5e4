"""The vision transformer of the re-ID projects (Dosovitskiy et al. 2021, arXiv 2010.11929), with timm's names.

TransReID, FastReID and PersonViT share it: patches that may overlap, a class token, learnt positions for one image
size, blocks with the norm before, layer norms with epsilon 1e-6.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.architectures.published import Published

PATCH_PX = 16
EPSILON = 1e-6
INITIAL_DEVIATION = 0.02  # of the tokens


class LayerNorm(nn.LayerNorm):
    def __init__(self, width: int) -> None:
        super().__init__(width, eps=EPSILON)


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        split = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        weights = (query @ key.transpose(-2, -1) * self.scale).softmax(dim=-1)
        return self.proj((weights @ value).transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Attention, then a two-layer perceptron on each token; both are added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class Patches(nn.Module):
    """16x16 patches to tokens (batch, rows * columns, width); they overlap where the stride is smaller."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH_PX, stride)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class Trunk(nn.Module):
    """Images of one ``size`` (height, width in pixels) to tokens (batch, 1 + patches, width), class token first.

    ``norm`` is left out where others stand behind the last block (``bare``). ``sides`` rows of side information, each
    added to all tokens ``coefficient`` times, are there from 2 on.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        stride: int,
        width: int,
        heads: int,
        depth: int,
        bare: bool = False,
        sides: int = 0,
        coefficient: float = 0.0,
    ) -> None:
        super().__init__()
        self.patch_embed = Patches(width, stride)
        self.patches = ((size[0] - PATCH_PX) // stride + 1) * ((size[1] - PATCH_PX) // stride + 1)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * INITIAL_DEVIATION)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.patches, width) * INITIAL_DEVIATION)
        side = nn.Parameter(torch.randn(sides, 1, width) * INITIAL_DEVIATION) if sides > 1 else None
        self.register_parameter("sie_embed", side)
        self.coefficient = coefficient
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.Identity() if bare else LayerNorm(width)

    def forward(self, images: Tensor, side: Tensor | None = None) -> Tensor:
        """``side``: (batch, 1, width) or (1, 1, width), a row of ``sie_embed`` for each image."""
        patches = self.patch_embed(images)
        tokens = torch.cat((self.cls_token.expand(patches.shape[0], -1, -1), patches), dim=1) + self.pos_embed
        if side is not None:
            tokens = tokens + self.coefficient * side
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


class FastReidHead(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        return self.bottleneck(features[..., None, None]).flatten(1)


class FastReidViT(nn.Module):
    """FastReID's bagtricks ViT-B: (batch, 3, 256, 128) float32, to (batch, 768) after the BN-neck, no L2.

    Its mean and deviation are 127.5 in 0..255, so 0.5 in 0..1. FastReID publishes the recipe and no checkpoint.
    """

    published = Published(drop=("pixel_mean", "pixel_std", "heads.classifier.", "heads.weight"))

    def __init__(self, size: tuple[int, int] = (256, 128), stride: int = 16) -> None:
        super().__init__()
        self.backbone = Trunk(size, stride=stride, width=768, heads=12, depth=12)
        self.heads = FastReidHead(768)

    def forward(self, images: Tensor) -> Tensor:
        return self.heads(self.backbone(images)[:, 0])


BUILDERS = {"fastreid_vit": FastReidViT}
