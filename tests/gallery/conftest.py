from __future__ import annotations

import shutil

import pytest

from tests.gallery.fake_run import write_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A run folder that tests only read."""
    folder = tmp_path_factory.mktemp("gallery") / "run"
    write_run(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A run folder of the test's own."""
    return shutil.copytree(finished, tmp_path / "run")
