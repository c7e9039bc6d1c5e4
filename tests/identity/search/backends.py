"""The search backends by name, as the contract suite and the measurements make them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from savant_reid.identity.search import ExactSearch, Search

Make = Callable[[int, int], Search]


BACKENDS: dict[str, Make] = {"exact": ExactSearch}


def make_or_skip(name: str) -> Make:
    """How to make the backend `name` (dimension, capacity in rows); skips the test where it cannot run."""
    return BACKENDS[name]


PARAMETERS = [pytest.param("exact")]
