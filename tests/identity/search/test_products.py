"""Products in pieces are the product, however many rows and probes there are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from savant_reid.identity.search import products
from savant_reid.identity.search.products import Factor

DIMENSION = 20


def halves(*shape: int) -> NDArray[np.float32]:
    """Multiples of 1/2, whose products and sums are exact in float32."""
    return (np.random.default_rng(len(shape) + shape[0]).integers(-4, 5, shape) / 2).astype(np.float32)


@pytest.mark.parametrize("small_products", [True, False])
@pytest.mark.parametrize("probes", [1, 2, 16, 31, 33, 70])
def test_every_row_with_every_probe(probes: int, small_products: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 12 rows x 32 probes at the most: none, some and all rows in whole ones."""
    monkeypatch.setattr(products, "_SMALL", 12 * 32 * DIMENSION)
    monkeypatch.setattr(products, "_SMALL_PRODUCTS", small_products)
    asked = halves(probes, DIMENSION)
    factor = Factor(asked)
    for count in (0, 1, 11, 12, 24, 397):
        rows, out = halves(count, DIMENSION), np.full((count, probes), np.nan, np.float32)
        factor.times(rows, out)
        np.testing.assert_array_equal(out, rows @ asked.T)


def test_vectors_too_long_for_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_SMALL", 12 * DIMENSION)
    monkeypatch.setattr(products, "_SMALL_PRODUCTS", True)
    rows, asked, out = halves(50, DIMENSION), halves(3, DIMENSION), np.empty((50, 3), np.float32)
    Factor(asked).times(rows, out)
    np.testing.assert_array_equal(out, rows @ asked.T)


@pytest.mark.parametrize("probes", [2, 16, 50])
def test_probes_lie_along_cache_lines(probes: int) -> None:
    for _ in range(8):
        columns = products._columns(halves(probes, DIMENSION))
        assert columns.ctypes.data % 64 == 0
        assert columns.strides[0] % 64 == 0
        np.testing.assert_array_equal(columns, halves(probes, DIMENSION).T)
