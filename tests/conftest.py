"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no deadline: the tests share their machine with others.
settings.register_profile("savant-reid", derandomize=True, deadline=None)
settings.load_profile("savant-reid")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """The folder with real footage and models, which is no part of the project; tests that need it skip without it."""
    folder = Path(os.environ.get("SAVANT_REID_REAL") or ROOT.parent / "shared" / "real")
    if not (folder / "retail.mp4").is_file():
        pytest.skip(f"no real footage: {folder} is absent (SAVANT_REID_REAL may name another folder)")
    return folder


@pytest.fixture
def site_file(tmp_path: Path) -> Iterator[Path]:
    """A site of two cameras, door and hall, whose resolver is forgotten with the test."""
    from savant_reid.pyfuncs import shared

    path = tmp_path / "site.yml"
    path.write_text("site: shop\ncameras: {door: {}, hall: {}}\nidentity: {capacity: 100}\n")
    yield path
    shared.forget(path)
