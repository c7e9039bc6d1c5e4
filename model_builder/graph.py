"""What an exported graph does around its network: channel order, mean and std before it, L2 behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model_builder.cards import Card, Triple

INPUT, CAMERAS = "images", "cameras"


@dataclass(frozen=True)
class GraphSpec:
    """The outside of a graph. mean and std are in units of the graph's input, in the order of the network's channels.

    shape: (3, height, width) of one picture. swap_channels: the input comes in the order opposite to the network's.
    normalise: the output rows get length one.
    """

    shape: tuple[int, int, int]
    output: str
    mean: Triple | None = None
    std: Triple | None = None
    swap_channels: bool = False
    normalise: bool = False
    input: str = INPUT
    input_top: float = 255.0

    @classmethod
    def of(cls, card: Card) -> GraphSpec:
        """What a card says; ValueError for an NHWC card, whose graph comes as it is and is never exported here."""
        if card.input.layout != "NCHW":
            raise ValueError(f"{card.name}: expected a card with layout NCHW, found {card.input.layout}")
        spec = cls(
            shape=(3, *card.input.size),
            output=card.output.name,
            normalise=bool(card.output.l2_normalised),
            input=card.input.name,
            input_top=card.input.range[1],
        )
        inside = card.normalisation.inside
        if inside is None:
            return spec
        return replace(
            spec,
            mean=tuple(inside.divisor * value for value in inside.mean),
            std=tuple(inside.divisor * value for value in inside.std),
            swap_channels=inside.color_format != card.input.color_format,
        )

    def example(self, batch: int, seed: int = 0) -> Tensor:
        """Random pictures (batch, 3, height, width) float32 over the input's range, with some structure in them."""
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(batch, 3, self.shape[1] // 16 + 1, self.shape[2] // 16 + 1, generator=generator)
        smooth = nn.functional.interpolate(coarse, self.shape[1:], mode="bilinear", align_corners=False)
        grain = torch.rand(batch, *self.shape, generator=generator)
        return (0.8 * smooth + 0.2 * grain) * self.input_top


class Preprocessing(nn.Module):
    """(batch, 3, height, width) as the host feeds it to what the network was trained on."""

    def __init__(self, spec: GraphSpec) -> None:
        super().__init__()
        self.swap = spec.swap_channels
        self.scaled = spec.mean is not None or spec.std is not None
        mean, std = torch.tensor(spec.mean or (0.0,) * 3), torch.tensor(spec.std or (1.0,) * 3)
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("std", std.view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.swap:
            # Slices and a concatenation, which every runtime has; flip would become a slice with a negative step.
            images = torch.cat((images[:, 2:3], images[:, 1:2], images[:, 0:1]), dim=1)
        return (images - self.mean) / self.std if self.scaled else images


class UnitLength(nn.Module):
    """Rows to length one; a row of zeros stays zero. No sum exceeds the width, so half precision cannot overflow."""

    def forward(self, features: Tensor) -> Tensor:
        largest = features.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
        features = features / largest
        # At least one entry is 1 now, unless all are zero.
        return features / (features * features).sum(dim=1, keepdim=True).clamp(min=1e-6).sqrt()


class Deployed(nn.Module):
    """A network with its preprocessing and, for re-ID, L2: what goes into the file. Further inputs are passed on."""

    def __init__(self, network: nn.Module, spec: GraphSpec) -> None:
        super().__init__()
        self.before = Preprocessing(spec)
        self.network = network
        self.after: nn.Module = UnitLength() if spec.normalise else nn.Identity()

    def forward(self, images: Tensor, *further: Tensor) -> Tensor:
        output: Tensor = self.after(self.network(self.before(images), *further).float())
        return output
