from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "samples" / "kafka_consumer"


@pytest.fixture(scope="module")
def history_of():
    sys.path.insert(0, str(SAMPLE))
    yield importlib.import_module("history").History
    sys.path.remove(str(SAMPLE))
    for name in ("history", "meanings"):
        sys.modules.pop(name, None)
