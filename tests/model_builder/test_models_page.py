"""docs/models.md keeps up with the cards."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_builder.cards import Card, load_cards

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 7}


@pytest.mark.parametrize("card", list(load_cards()), ids=lambda card: card.name)
def test_each_card_has_its_row(card: Card) -> None:
    row = ROWS[card.name]
    height, width = card.input.size
    assert f"| {height}x{width} {card.input.color_format.upper()} " in row
    assert f"| {card.licence.name} |" in row
    if card.figures:
        first = card.figures[0]
        assert f"| {'' if first.rank1 is None else f'{first.rank1}/'}{first.map} (" in row
    if card.licence.commercial is False:
        assert row.endswith("| no |")


def test_no_row_is_left_over() -> None:
    assert set(ROWS) == {card.name for card in load_cards()}
