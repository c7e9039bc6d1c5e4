"""Networks of the cards on small pictures, with weights of which the output depends on the picture."""

from __future__ import annotations

import torch
from model_builder.architectures import create
from model_builder.cards import Card, load_card
from model_builder.reference import pictures, prepared
from torch import nn


def small_card(name: str, height: int, width: int) -> Card:
    """The card with another input; a YOLO's output shrinks with it."""
    card = load_card(name)
    given = card.input.model_copy(update={"shape": ("batch", 3, height, width)})
    made = card.output
    if card.is_detector:
        cells = sum((height // stride) * (width // stride) for stride in (8, 16, 32))
        made = made.model_copy(update={"shape": ("batch", cells, made.shape[2])})
    return card.model_copy(update={"input": given, "output": made})


def lively_network(card: Card) -> nn.Module:
    """Random weights, batch norms settled on pictures: else all pictures give much the same output."""
    torch.manual_seed(0)
    network = create(card.architecture.name or "", **card.architecture.options).train()
    batch = torch.stack([torch.from_numpy(prepared(card, image)) for image in pictures(8, seed=1)])
    with torch.no_grad():
        for _ in range(20):
            network(batch)
    return network.eval()
