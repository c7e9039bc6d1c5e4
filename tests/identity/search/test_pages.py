"""Pages of a device's memory: what stays bounded, what moves, and what goes there."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.search import pages
from savant_reid.identity.search.pages import Pages
from savant_reid.identity.search.protocol import NOBODY

ROWS, DIMENSION = 8, 4


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_ROWS", ROWS)
    monkeypatch.setattr(pages, "_SPARE_PAGES", 2)


class Rows:
    """A Pages beside a list for each block, filled and emptied alike."""

    def __init__(self, capacity: int, dtype: type = np.float32) -> None:
        self.pages = Pages(np, DIMENSION, capacity, dtype)
        self.held: dict[int, list[int]] = {}

    def add(self, block: int, owner: int) -> None:
        held = self.held.setdefault(block, [])
        held.append(owner)
        vector = np.full(DIMENSION, owner, np.float32)
        assert self.pages.append(block, owner, vector) == len(held) - 1

    def drop(self, block: int, position: int) -> None:
        held = self.held[block]
        last = held[-1]
        assert self.pages.fill_from_last(block, position) == (last, len(held) - 1)
        held[position] = last
        held.pop()

    def on_device(self, block: int) -> tuple[list[int], int]:
        """Owners of a block as a search would find them, in order, and the rows that it looks at."""
        matrix, bias = self.pages.on_device()
        layout = self.pages.layout([block])
        places = (layout.pages[:, None] * ROWS + np.arange(ROWS)).reshape(-1)
        live = places[bias[places] == 0]
        owners = self.pages.owners.reshape(-1)[live]
        assert np.array_equal(matrix[live], np.repeat(owners[:, None], DIMENSION, axis=1))
        assert ((self.pages.owners.reshape(-1)[: len(bias)] == NOBODY) == (bias < 0)).all()
        return sorted(owners.tolist()), len(places)


def test_rows_come_and_go_and_what_is_looked_at_stays_near_what_is_there() -> None:
    generator, rows = np.random.default_rng(0), Rows(400)
    for owner in range(1, 3000):
        block = int(generator.integers(4))
        held = rows.held.get(block, [])
        # Crowds build up and leave: the share of arrivals swings.
        if not held or (
            sum(map(len, rows.held.values())) < 400 and generator.random() < 0.5 + 0.4 * np.sin(owner / 200)
        ):
            rows.add(block, owner)
        else:
            rows.drop(block, int(generator.integers(len(held))))
        if owner % 7 == 0:
            found, looked_at = rows.on_device(block)
            assert found == sorted(rows.held[block])
            assert looked_at <= 1.25 * len(found) + 3 * ROWS
    assert rows.pages.used_pages <= len(rows.pages.owners)


def test_a_row_that_goes_moves_no_other() -> None:
    rows = Rows(60)
    for owner in range(1, 21):
        rows.add(0, owner)
    rows.pages.on_device()
    rows.drop(0, 3)
    assert len(rows.pages._changed) == 1
    rows.add(0, 77)
    assert len(rows.pages._changed) == 1  # the newcomer lies where the other did
    assert rows.on_device(0) == (sorted(rows.held[0]), 3 * ROWS)


def test_nothing_of_who_has_gone_stays() -> None:
    rows = Rows(60)
    for owner in range(1, 31):
        rows.add(owner % 2, owner)
    for _ in range(15):
        rows.drop(0, 0)
    matrix, bias = rows.pages.on_device()
    assert (matrix[bias < 0] == 0).all()
    assert (rows.pages.vectors[: len(bias)][bias < 0] == 0).all()
    assert rows.pages.layout([0, 1]).of_block.tolist() == [0, 2]


def test_blocks_beyond_the_spare_pages_find_room() -> None:
    rows = Rows(4, np.float16)
    for owner in range(1, 13):
        rows.add(owner, owner)
    assert [rows.on_device(block)[0] for block in (1, 12)] == [[1], [12]]
    assert rows.pages.on_device()[0].dtype == np.float16


def test_what_is_loaded_goes_on_as_if_it_had_come_one_by_one() -> None:
    rows = Rows(100)
    for owner in range(100, 180):
        rows.add(5, owner)
    rows.pages.on_device()
    owners = {0: np.arange(1, 12), 3: np.arange(20, 28), 1: np.arange(40, 41)}
    rows.held = {block: those.tolist() for block, those in owners.items()}
    rows.pages.load({b: (o, np.repeat(o[:, None], DIMENSION, axis=1).astype(np.float32)) for b, o in owners.items()})
    assert rows.on_device(5) == ([], 0)
    rows.add(0, 12)
    rows.drop(3, 2)
    rows.drop(1, 0)
    for owner in range(60, 70):
        rows.add(2, owner)
    for block in range(4):
        assert rows.on_device(block)[0] == sorted(rows.held[block])
