from __future__ import annotations

import pytest

from savant_reid.identity.policy import Policy
from savant_reid.testing import Recording, preset, write_recording


@pytest.fixture(scope="session")
def recording():
    return Recording(preset("easy", 1, seconds=200.0, dimension=64))


@pytest.fixture(scope="session")
def folder(recording, tmp_path_factory):
    """sightings.parquet, truth.csv and site.yml of a small site."""
    where = tmp_path_factory.mktemp("recording")
    write_recording(recording, where)
    return where


@pytest.fixture
def policy():
    return Policy()
