"""The kernels' own source, run on a CPU, finds what NumPy finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.search import best as choosing
from savant_reid.identity.search import kernels
from savant_reid.identity.search.best import ArrayDevice, keys_of, parts_of, places_of, scores_of
from savant_reid.identity.search.cuda import CudaDevice
from savant_reid.identity.search.pages import Layout
from tests.identity.search.cuda_on_cpu import CupyOnCpu

PAGE_ROWS, PART_ROWS, THREADS = 4, 8, 4


@st.composite
def asked(draw: st.DrawFn):
    """Scores over the pages of some blocks, many of them equal, some rows missing, and how many are wanted."""
    of_block = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
    used = sum(of_block) + draw(st.integers(0, 2))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    pages = generator.permutation(used)[: sum(of_block)]
    every = draw(st.booleans())  # all pages were multiplied, or only those asked for, in their order
    at = pages if every else np.arange(len(pages))
    scores = generator.integers(-6, 7, (draw(st.integers(1, 3)), (used if every else len(pages)) * PAGE_ROWS)) / 8
    scores[generator.random(scores.shape) < 0.1] = -0.0
    bias = np.where(generator.random(used * PAGE_ROWS) < 0.3, -np.inf, 0).astype(np.float32)
    dtype = draw(st.sampled_from([np.float16, np.float32]))
    return scores.astype(dtype), bias, Layout(pages, np.array(of_block)), at, draw(st.integers(1, 30))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(asked())
def test_the_kernels_find_what_a_sort_finds(case) -> None:
    scores, bias, layout, at, keep = case
    cuda = CudaDevice(CupyOnCpu())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "PART_ROWS", PART_ROWS)
        patch.setattr(kernels, "THREADS", THREADS)
        work = parts_of(layout, at, PAGE_ROWS)
        assert (work.parts[:, 1] * PAGE_ROWS <= PART_ROWS).all()
        found, right = (one.best(scores, bias, work, keep) for one in (cuda, ArrayDevice()))
    np.testing.assert_array_equal(found, right)
    assert cuda.copies_back == 1
    _and_they_are_the_best(right, scores, bias, layout, at)


def _and_they_are_the_best(keys, scores, bias, layout, at) -> None:
    """NumPy's own answer against a dictionary and a sort."""
    values = scores_of(keys, scores.dtype.type)
    start = 0
    for block, count in enumerate(layout.of_block):
        rows = range(start * PAGE_ROWS, (start + count) * PAGE_ROWS)
        start += count
        places = {r: int(layout.pages[r // PAGE_ROWS]) * PAGE_ROWS + r % PAGE_ROWS for r in rows}
        for probe, line in enumerate(scores):
            have = {
                place: float(line[at[r // PAGE_ROWS] * PAGE_ROWS + r % PAGE_ROWS])
                for r, place in places.items()
                if bias[place] == 0
            }
            best = sorted(have.values(), reverse=True)[: keys.shape[2]]
            assert values[probe, block, : len(best)].tolist() == best
            assert np.isneginf(values[probe, block, len(best) :]).all()
            named = places_of(keys[probe, block, : len(best)]).tolist()
            assert len(set(named)) == len(best)
            assert [have[place] for place in named] == best


def test_with_as_many_threads_and_rows_as_on_a_device() -> None:
    """A block of three parts and one of half a page."""
    generator = np.random.default_rng(0)
    layout, rows = Layout(np.arange(34)[::-1], np.array([33, 1])), 34 * 128
    scores = generator.standard_normal((2, rows)).astype(np.float16)
    bias = np.where(np.arange(rows) % 128 < 64, 0, -np.inf).astype(np.float32)
    work = parts_of(layout, layout.pages, 128)
    assert len(work.parts) == 4
    found, right = (one.best(scores, bias, work, 17) for one in (CudaDevice(CupyOnCpu()), ArrayDevice()))
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_keys_order_as_their_scores_and_give_them_back(dtype) -> None:
    limits = np.finfo(dtype)
    scores = np.array([-np.inf, limits.min, -1, -limits.tiny, -0.0, 0, limits.tiny, 0.3, 1, limits.max], dtype)
    keys = keys_of(scores[None], np.zeros(len(scores), np.int64))[0]
    assert (np.diff(keys.astype(object)) >= 0).all()
    assert keys[4] == keys[5]  # -0 and 0 tie
    assert (keys > choosing.NO_KEY).all()
    np.testing.assert_array_equal(scores_of(keys, dtype), scores.astype(np.float32))
    places = np.array([0, 5, 2**32 - 1])
    np.testing.assert_array_equal(places_of(keys_of(np.ones((1, 3), dtype), places))[0], places)
