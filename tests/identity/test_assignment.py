from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.assignment import assign

try:
    from scipy.optimize import linear_sum_assignment
except ImportError:
    linear_sum_assignment = None


@pytest.mark.skipif(linear_sum_assignment is None, reason="scipy is the oracle, and is not installed here")
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 12), more=st.integers(0, 8), ties=st.booleans())
def test_total_value_is_that_of_scipy(seed, rows, more, ties):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, rows + more))
    if ties:
        values = np.round(values)
    values[rng.random(values.shape) < 0.3] = -1e9
    columns = assign(values)
    assert len(set(columns.tolist())) == rows
    best = values[linear_sum_assignment(values, maximize=True)].sum()
    assert values[np.arange(rows), columns].sum() == pytest.approx(best)


def test_a_small_case_by_hand():
    # Greedy would give row 0 its 10 and leave row 1 with 0; together 9 + 9 is better.
    assert assign(np.array([[10.0, 9.0], [9.0, 0.0]])).tolist() == [1, 0]


def test_nobody_to_assign():
    assert assign(np.zeros((0, 3))).tolist() == []


def test_too_few_columns_are_named():
    with pytest.raises(ValueError, match="3 rows and 2 columns"):
        assign(np.zeros((3, 2)))
