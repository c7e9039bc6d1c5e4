"""What every search backend promises, checked on all that can run here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from numpy.typing import NDArray

from savant_reid.identity.search import (
    NOBODY,
    Search,
    SearchFull,
    WrongDimension,
    array_module,
    best,
    device,
    exact,
    faiss_flat,
    kernels,
    pages,
    products,
    segments,
)
from tests.identity.search.backends import PARAMETERS, Make, make_or_skip
from tests.identity.search.oracle import DictionarySearch

Floats = NDArray[np.float32]
DIMENSION, CAPACITY = 8, 60


@pytest.fixture(params=PARAMETERS)
def make(request: pytest.FixtureRequest) -> Make:
    return make_or_skip(request.param)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few dozen rows already fill several segments and several pages, and those that are spare run out."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 24)
    monkeypatch.setattr(products, "_SMALL", 12 * 16 * DIMENSION)
    monkeypatch.setattr(products, "_SMALL_PRODUCTS", True)
    monkeypatch.setattr(pages, "PAGE_ROWS", 32)
    monkeypatch.setattr(pages, "_SPARE_PAGES", 1)
    monkeypatch.setattr(array_module, "_SCORES", 2000)
    monkeypatch.setattr(best, "PART_ROWS", 64)
    monkeypatch.setattr(device, "_SCORES", 40_000)
    monkeypatch.setattr(kernels, "THREADS", 8)
    monkeypatch.setattr(faiss_flat, "_FEW_TOMBSTONES", 3)


def unit(n: int, dimension: int, seed: int) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def exact_units(n: int, seed: int) -> Floats:
    """Unit vectors of four places of +-1/2: their products are multiples of 1/4, exact on every device, often equal."""
    generator = np.random.default_rng(seed)
    vectors = np.zeros((n, DIMENSION), np.float32)
    for vector in vectors:
        vector[generator.choice(DIMENSION, 4, replace=False)] = generator.choice([-0.5, 0.5], 4)
    return vectors


def filled(make: Make, owners: int, blocks: int, dimension: int, seed: int) -> tuple[Search, DictionarySearch]:
    search, oracle = make(dimension, 8 * owners), DictionarySearch()
    generator = np.random.default_rng(seed)
    for owner in range(1, owners + 1):
        vectors = unit(int(generator.integers(1, 6)), dimension, seed + owner)
        block = int(generator.integers(blocks))
        search.replace(owner, block, vectors)
        oracle.replace(owner, block, vectors)
    return search, oracle


@pytest.mark.parametrize("probes", [1, 3, 8, 9, 40, 64, 300])
@pytest.mark.parametrize("k", [1, 4])
def test_finds_what_brute_force_finds(make: Make, probes: int, k: int) -> None:
    search, oracle = filled(make, owners=300, blocks=3, dimension=32, seed=5)
    asked = unit(probes, 32, seed=1)
    found = search.nearest(asked, [2, 0], k)
    owners, similarities = oracle.expected(asked[:20], [2, 0], k)
    assert found.owners.shape == found.similarities.shape == (probes, 2 * k)
    np.testing.assert_array_equal(found.owners[:20], owners)
    np.testing.assert_allclose(found.similarities[:20], similarities, atol=1e-5)
    again = search.nearest(asked[-1:], [2, 0], k)
    np.testing.assert_array_equal(found.owners[-1:], again.owners)


@pytest.mark.parametrize("probes", [3, 40])
@pytest.mark.parametrize("together", [0, 256])
def test_only_what_is_of_no_use_may_be_left_out(
    make: Make, probes: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds between the first and the last of the best, and some that leave all or nothing."""
    monkeypatch.setattr(exact, "_FEW_ROWS", together)
    search, _ = filled(make, owners=300, blocks=3, dimension=32, seed=5)
    asked, blocks = unit(probes, 32, seed=1), [2, 7, 0]
    whole = search.nearest(asked, blocks, 4)
    least = np.random.default_rng(3).uniform(0.2, 0.7, (probes, 3)).astype(np.float32)
    least[0], least[1] = -np.inf, 2.0
    found = search.nearest(asked, blocks, 4, least)
    wanted = whole.similarities >= np.repeat(least, 4, axis=1)
    assert 0 < wanted[2:].sum() < wanted[2:].size
    np.testing.assert_array_equal(found.owners[wanted], whole.owners[wanted])
    np.testing.assert_array_equal(found.similarities[wanted], whole.similarities[wanted])
    others = found.owners[~wanted]
    assert np.isin(others, [NOBODY, *whole.owners[~wanted]]).all()


def test_a_wide_block_is_searched_through_its_groups(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of several sizes above what a partition takes, ties across their edges."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 400)
    vectors = np.tile(exact_units(40, seed=2), (24, 1))
    owners = np.random.default_rng(0).permutation(960) + 1
    search = make(DIMENSION, 960)
    search.rebuild(owners, np.zeros(960, np.int64), vectors)
    oracle = DictionarySearch()
    for owner, vector in zip(owners.tolist(), vectors, strict=True):
        oracle.replace(owner, 0, vector[None])
    for probes in (exact_units(2, seed=3), exact_units(12, seed=4)):
        found = search.nearest(probes, [0], 5)
        expected, similarities = oracle.expected(probes, [0], 5)
        np.testing.assert_array_equal(found.owners, expected)
        np.testing.assert_array_equal(found.similarities, similarities)


def test_a_few_of_many_blocks(make: Make) -> None:
    search, oracle = filled(make, owners=200, blocks=20, dimension=16, seed=8)
    asked = unit(4, 16, seed=2)
    for blocks in ([7], [19, 3], list(range(20))):
        owners, similarities = oracle.expected(asked, blocks, 3)
        found = search.nearest(asked, blocks, 3)
        np.testing.assert_array_equal(found.owners, owners)
        np.testing.assert_allclose(found.similarities, similarities, atol=1e-5)


def test_types_and_room(make: Make) -> None:
    search = make(DIMENSION, 7)
    search.replace(9, 3, exact_units(4, seed=0))
    assert (len(search), search.dimension, search.capacity_rows) == (4, DIMENSION, 7)
    found = search.nearest(exact_units(2, seed=1), [3, 5], 5)
    assert (found.owners.dtype, found.similarities.dtype) == (np.int64, np.float32)
    assert found.owners.tolist() == [[9] * 4 + [NOBODY] * 6] * 2
    assert np.isneginf(found.similarities[:, 4:]).all()


def test_nothing_asked_nothing_found(make: Make) -> None:
    search = make(DIMENSION, 7)
    assert search.nearest(exact_units(2, seed=1), [], 3).owners.shape == (2, 0)
    assert search.nearest(exact_units(0, seed=1), [1, 2], 3).owners.shape == (0, 6)
    assert (search.nearest(exact_units(2, seed=1), [4], 3).owners == NOBODY).all()


def test_ties_come_in_the_order_of_owners(make: Make) -> None:
    search, vector = make(DIMENSION, 20), exact_units(1, seed=0)
    for owner in (7, 2, 9, 4, 2**40, 3):
        search.replace(owner, 0, vector)
    assert search.nearest(vector, [0], 4).owners.tolist() == [[2, 3, 4, 7]]
    assert search.nearest(-vector, [0], 9).owners.tolist() == [[2, 3, 4, 7, 9, 2**40, 0, 0, 0]]


def test_nothing_is_left_of_what_was_there_before_a_rebuild(make: Make) -> None:
    search, vectors = make(DIMENSION, 200), exact_units(200, seed=0)
    search.rebuild(np.arange(1, 201), np.arange(200) % 2, vectors)
    search.nearest(vectors[:1], [0], 1)
    search.rebuild(np.array([1]), np.array([0]), vectors[:1])
    search.replace(2, 5, vectors[1:2])
    found = search.nearest(vectors[:3], [0, 1, 5], 2)
    assert found.owners.tolist() == [[1, 0, 0, 0, 2, 0]] * 3
    assert np.isneginf(found.similarities[found.owners == NOBODY]).all()


def test_a_full_search_says_so_and_changes_nothing(make: Make) -> None:
    search, vectors = make(DIMENSION, 5), exact_units(4, seed=0)
    search.replace(1, 0, vectors)
    with pytest.raises(SearchFull, match="at most 5 rows can be held, 6 are needed"):
        search.replace(2, 0, vectors[:2])
    with pytest.raises(SearchFull, match="at most 5"):
        search.rebuild(np.arange(1, 7), np.zeros(6, np.int64), exact_units(6, seed=1))
    assert len(search) == 4
    assert search.nearest(vectors[:1], [0], 9).owners[0, :5].tolist() == [1, 1, 1, 1, NOBODY]
    search.replace(1, 0, exact_units(5, seed=0))
    assert len(search) == 5


def test_another_dimension_is_refused_by_name(make: Make) -> None:
    search, wrong = make(DIMENSION, 5), np.ones((2, 12), np.float32)
    for call in (
        lambda: search.replace(1, 0, wrong),
        lambda: search.nearest(wrong, [0], 1),
        lambda: search.rebuild(np.array([1, 2]), np.array([0, 0]), wrong),
        lambda: search.nearest(np.ones(DIMENSION, np.float32), [0], 1),
    ):
        with pytest.raises(WrongDimension, match=r"\(n, 8\) expected, found \((2, 12|8,)\)"):
            call()
    assert len(search) == 0


def test_rows_that_do_not_go_together_are_refused(make: Make) -> None:
    search, vectors = make(DIMENSION, 5), exact_units(2, seed=0)
    search.replace(3, 1, vectors)
    with pytest.raises(ValueError, match="found 1 in 0 and in 4"):
        search.rebuild(np.array([1, 1]), np.array([0, 4]), vectors)
    with pytest.raises(ValueError, match="2 owners, 1 blocks and 2 vectors"):
        search.rebuild(np.array([1, 2]), np.array([0]), vectors)
    assert search.nearest(vectors[:1], [1], 1).owners.tolist() == [[3]]


def machine(make: Make) -> type[RuleBasedStateMachine]:
    """Any sequence of calls leaves a backend and the dictionary alike."""

    class Calls(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.search, self.oracle = make(DIMENSION, CAPACITY), DictionarySearch()

        @rule(owner=st.integers(1, 12), block=st.integers(0, 2), n=st.integers(0, 9), seed=st.integers(0, 30))
        def replace(self, owner: int, block: int, n: int, seed: int) -> None:
            vectors = exact_units(n, seed)
            held = self.oracle.held.get(owner)
            if self.oracle.rows() - (len(held[1]) if held else 0) + n > CAPACITY:
                with pytest.raises(SearchFull):
                    self.search.replace(owner, block, vectors)
            else:
                self.search.replace(owner, block, vectors)
                self.oracle.replace(owner, block, vectors)

        @rule(owner=st.integers(1, 13))
        def remove(self, owner: int) -> None:
            self.search.remove(owner)
            self.oracle.held.pop(owner, None)

        @precondition(lambda self: self.oracle.held)
        @rule(seed=st.integers(0, 30))
        def rebuild(self, seed: int) -> None:
            for owner, (block, vectors) in list(self.oracle.held.items()):
                self.oracle.held[owner] = block, exact_units(len(vectors), seed + owner)
            order = np.random.default_rng(seed).permutation(self.oracle.rows())
            self.search.rebuild(*(column[order] for column in self.oracle.columns()))

        @rule(
            probes=st.sampled_from([1, 2, 9]),
            blocks=st.lists(st.integers(0, 3), unique=True),
            k=st.integers(1, 5),
            seed=st.integers(0, 30),
        )
        def nearest(self, probes: int, blocks: list[int], k: int, seed: int) -> None:
            asked = exact_units(probes, seed)
            found = self.search.nearest(asked, blocks, k)
            owners, similarities = self.oracle.expected(asked, blocks, k)
            assert found.owners.tolist() == owners
            assert found.similarities.tolist() == similarities

        @invariant()
        def holds_as_many(self) -> None:
            assert len(self.search) == self.oracle.rows()

    return Calls


def test_any_sequence_of_calls(make: Make) -> None:
    quick = settings(
        max_examples=40,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine(make), settings=quick)
