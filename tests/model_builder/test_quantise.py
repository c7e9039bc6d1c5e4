"""INT8: calibrated on enough pictures, its cost on others told, and not kept where it costs too much."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from model_builder.cards import Card
from model_builder.export import export, open_session
from model_builder.quantise import LEAST_PICTURES, Cost, quantise, split, within
from model_builder.quantise_command import quantised, read_pictures
from model_builder.reference import pictures
from torch import nn

from savant_reid.errors import DataError, ModelError

pytestmark = pytest.mark.builder

CARD = Card.model_validate(
    {
        "name": "small",
        "date": "2026-11-23",
        "task": "person re-identification",
        "architecture": {"name": "small"},
        "input": {
            "name": "images",
            "shape": ["batch", 3, 64, 32],
            "color_format": "rgb",
            "range": [0.0, 255.0],
            "maintain_aspect_ratio": False,
        },
        "normalisation": {
            "where": "inside the graph",
            "inside": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "color_format": "rgb"},
        },
        "output": {"name": "embedding", "shape": ["batch", 24], "l2_normalised": True},
        "embedding_dimension": 24,
        "file": {"name": "small.onnx"},
        "source": {"kind": "none", "note": "made here"},
        "licence": {"name": "Apache-2.0", "commercial": True, "accept": False},
    }
)


class Small(nn.Module):
    def __init__(self, outlier: float = 1.0) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)
        self.third, self.last = nn.Conv2d(32, 32, 3, 2, 1), nn.Linear(32, 24)
        with torch.no_grad():
            # One channel of great range, which nothing reads: it takes all of INT8's steps.
            self.first.weight[0] *= outlier
            self.second.weight[:, 0] = 0.0
            for layer in (self.second, self.third, self.last):
                layer.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.second(torch.relu(self.first(images)))
        return self.last(torch.relu(self.third(torch.relu(hidden))).mean((2, 3)))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)


def built(models: Path, outlier: float = 1.0) -> Path:
    return export(Small(outlier).eval(), CARD, CARD.built_file(models))


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(DataError, match=f"at least {LEAST_PICTURES} pictures to calibrate INT8 on, found 99"):
        split(pictures(99))
    calibration, held_back = split(pictures(LEAST_PICTURES))
    assert (len(calibration), len(held_back)) == (75, 25)


def test_int8_is_written_with_what_it_costs(tmp_path: Path) -> None:
    built(tmp_path)
    calibration, held_back = split(pictures(LEAST_PICTURES))
    told = quantised(CARD, tmp_path, calibration, held_back)
    file = CARD.built_file(tmp_path, "int8")
    entry = json.loads((file.parent / "verify.json").read_text())["files"][file.name]
    assert entry["precision"] == "int8"
    assert entry["calibrated_on"] == 75
    assert entry["cost"]["pictures"] == 25
    assert 0.9 < entry["cost"]["least_cosine"] < entry["cost"]["mean_cosine"] < 1.0
    assert f"mean {entry['cost']['mean_cosine']:.4f}" in told
    assert "least_cosine" in (file.parent / "verify.md").read_text()
    session = open_session(file)
    found = session.run(None, {"images": np.full((3, 3, 64, 32), 90.0, np.float32)})[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_preprocessing_l2_and_the_last_layer_stay_single_precision(tmp_path: Path) -> None:
    target = quantise(CARD, built(tmp_path), tmp_path / "q.onnx", pictures(16))
    graph = onnx.load(target).graph
    weights = {entry.name: entry for entry in graph.initializer}
    int8 = [entry for entry in weights.values() if entry.data_type == onnx.TensorProto.INT8 and len(entry.dims) == 4]
    assert len(int8) == 3
    (last,) = [node for node in graph.node if node.op_type in ("Gemm", "MatMul")]
    assert weights[last.input[1]].data_type == onnx.TensorProto.FLOAT


def test_int8_that_costs_too_much_is_not_kept(tmp_path: Path) -> None:
    built(tmp_path, outlier=3000.0)
    calibration, held_back = split(pictures(LEAST_PICTURES))
    with pytest.raises(ModelError, match=r"small.int8.onnx: not kept: INT8 costs too much .* Use fp16"):
        quantised(CARD, tmp_path, calibration, held_back)
    assert not CARD.built_file(tmp_path, "int8").exists()


def test_without_the_built_file_it_says_how_to_build(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model_builder build small"):
        quantised(CARD, tmp_path, pictures(4), pictures(4))


def test_limits() -> None:
    assert within(Cost(9, 0.95, 0.99, 0.96))
    assert not within(Cost(9, 0.85, 0.99, 0.96))
    assert not within(Cost(9, 0.99, 0.99, 0.99, overlap=0.3, score=0.1))
    assert not within(Cost(9, float("nan"), 0.99, 0.99))


def test_pictures_are_read_from_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for index, picture in enumerate(pictures(6)):
        cv2.imwrite(str(tmp_path / "a" / f"{index}.png"), picture)
    found = list(read_pictures([tmp_path], 100))
    np.testing.assert_array_equal(found[0], pictures(1)[0])
    assert len(found) == 6
    assert len(list(read_pictures([tmp_path], 3))) == 3
    (tmp_path / "a" / "1.png").write_text("no picture")
    with pytest.raises(DataError, match="expected a picture"):
        list(read_pictures([tmp_path], 100))
    with pytest.raises(DataError, match="no such file"):
        list(read_pictures([tmp_path / "b"], 100))
