"""The gallery on a GPU against the host's; the contract suite (tests/identity/search) runs there too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from savant_reid.bench.search_cpu import units
from savant_reid.identity.search import ExactSearch
from savant_reid.identity.search.best import ArrayDevice, parts_of
from savant_reid.identity.search.choice import made_for
from savant_reid.identity.search.cuda import CudaDevice
from savant_reid.identity.search.device import HALF_ERROR, DeviceSearch
from savant_reid.identity.search.pages import Layout

pytestmark = pytest.mark.gpu
ROWS, DIMENSION, CAMERAS = 20_000, 512, 40


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("keep", [5, 21, 200])
def test_the_kernels_find_what_a_sort_finds(cupy: Any, dtype: type, keep: int) -> None:
    generator = np.random.default_rng(0)
    layout = Layout(generator.permutation(60), np.array([35, 0, 1, 24]))
    scores = (generator.integers(-500, 500, (7, 60 * 128)) / 512).astype(dtype)
    bias = np.where(generator.random(60 * 128) < 0.2, -np.inf, 0).astype(np.float32)
    work = parts_of(layout, layout.pages, 128)
    found = CudaDevice(cupy).best(cupy.asarray(scores), cupy.asarray(bias), work, keep)
    np.testing.assert_array_equal(found, ArrayDevice().best(scores, bias, work, keep))


@pytest.mark.parametrize("probes", [1, 3, 16, 64, 256])
def test_no_score_in_float16_is_off_by_more_than_is_allowed_for(cupy: Any, probes: int) -> None:
    """cuBLAS chooses its kernel by the size; some add partial sums in float16."""
    asked, rows = units(probes, 1), units(ROWS, 0)
    asked[0] = rows[0]  # a score of one
    scores = cupy.asnumpy(CudaDevice(cupy).product(asked, cupy.asarray(rows.astype(np.float16))))
    assert scores.dtype == np.float16
    assert np.abs(scores.astype(np.float64) - asked.astype(np.float64) @ rows.T.astype(np.float64)).max() < HALF_ERROR


@pytest.mark.parametrize("half", [False, True])
def test_the_same_best_as_the_host_with_one_copy_back(cupy: Any, half: bool) -> None:
    device = CudaDevice(cupy)
    there, here = DeviceSearch(DIMENSION, ROWS, device, half), ExactSearch(DIMENSION, ROWS)
    vectors, owners = units(ROWS, 0), np.arange(1, ROWS + 1)
    for search in (there, here):
        search.rebuild(owners, owners % CAMERAS, vectors)
        for owner in range(1, 2000, 3):
            search.remove(owner)
        for owner in range(2, 2000, 3):
            search.replace(owner, owner % 7, vectors[-owner - 1 : -owner])
    for searches, blocks in enumerate(([3], range(8), range(CAMERAS)), start=1):
        found, right = (search.nearest(units(64, 1), blocks, 5) for search in (there, here))
        np.testing.assert_allclose(found.similarities, right.similarities, atol=1e-6)
        # Some of thousands differ by less than the last bits of a sum, which every device adds up in its own order.
        assert (found.owners != right.owners).mean() < 1e-3
        assert device.copies_back == searches


@pytest.mark.parametrize("name", ["gpu", "gpu-half", "gpu-arrays"])
def test_it_can_be_had_by_name(cupy: Any, name: str) -> None:
    del cupy
    search = made_for(name)(DIMENSION, 1000)
    assert not isinstance(search, ExactSearch)
    search.replace(5, 0, units(1, 0))
    assert search.nearest(units(1, 0), [0], 1).owners.tolist() == [[5]]
