"""What the tests on a GPU share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.identity.search.backends import cupy_or_skip


@pytest.fixture
def cupy() -> Any:
    return cupy_or_skip()
