from __future__ import annotations

import json

import numpy as np
import pytest

from savant_reid.errors import OutputError
from savant_reid.identity.types import State
from savant_reid.sinks.metrics import write_metrics


def test_numpy_and_enums_become_plain(tmp_path):
    path = tmp_path / "metrics.json"
    decisions = {State.CONFIRMED: np.int64(3)}
    write_metrics(path, {"frames": np.int32(4), "fps": np.float32(2.5), "nan": float("nan"), "decisions": decisions})
    assert json.loads(path.read_text()) == {
        "schema": "savant-reid/metrics/1",
        "frames": 4,
        "fps": 2.5,
        "nan": None,
        "decisions": {"confirmed": 3},
    }
    assert [one.name for one in tmp_path.iterdir()] == ["metrics.json"]


def test_no_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"metrics\.json: cannot be written"):
        write_metrics(tmp_path / "gone" / "metrics.json", {})
