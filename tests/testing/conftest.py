from __future__ import annotations

import pytest

from savant_reid.testing import Recording, preset


@pytest.fixture(scope="session")
def recording():
    return Recording(preset("real", seed=1, seconds=120.0))


@pytest.fixture(scope="session")
def moments(recording):
    return list(recording.moments())
