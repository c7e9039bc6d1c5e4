"""Every card's network, with random weights: it is there, becomes a file, and the file gives what the network gives."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from model_builder.build import network_of
from model_builder.cards import load_card, load_cards
from model_builder.export import export
from model_builder.reference import by_network
from model_builder.verify import verify

pytestmark = pytest.mark.builder
# Random weights are sure of nothing, and a Faster R-CNN gives out what it is sure of only: test_detectors looks at it.
NAMES = tuple(card.name for card in load_cards() if card.source.kind == "checkpoint" and card.name != "faster-rcnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_builds_and_verifies_at_its_own_size(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    card = load_card(name)
    network = network_of(card, None)
    file = export(network, card, tmp_path / card.file.name)
    try:
        found = verify(card, file, by_network(card, network), max_batch=2)
    finally:
        file.unlink()  # 343 MB for a ViT-B, and pytest keeps its folders
    assert found.passed, found.checks
