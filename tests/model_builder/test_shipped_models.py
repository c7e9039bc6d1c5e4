"""The files in models/ keep what their cards and the module promise. No PyTorch here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("person-detector-demo", "person-reid-demo")
INPUT_HW = {"person-detector-demo": (288, 512), "person-reid-demo": (128, 64)}
OUTPUT = {"person-detector-demo": ("output0", [5, 3024]), "person-reid-demo": ("embedding", [256])}


def file_of(name: str) -> Path:
    return MODELS / name / f"{name}.onnx"


def card_of(name: str) -> dict:
    return yaml.safe_load((MODELS / name / "card.yml").read_text())


def session_of(name: str):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file_of(name)), options, providers=["CPUExecutionProvider"])


def pictures(name: str, count: int) -> np.ndarray:
    scale = 1.0 if name == "person-detector-demo" else 255.0
    return np.random.default_rng(7).random((count, 3, *INPUT_HW[name]), dtype=np.float32) * np.float32(scale)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_and_outputs_are_those_of_the_module(name: str) -> None:
    session = session_of(name)
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(float)", [3, *INPUT_HW[name]])
    assert (made.name, made.type, made.shape[1:]) == (OUTPUT[name][0], "tensor(float)", OUTPUT[name][1])
    assert isinstance(given.shape[0], str), "the batch must be dynamic"


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_batch_do_not_touch_each_other(name: str) -> None:
    session, images = session_of(name), pictures(name, 3)
    together = session.run(None, {"images": images})[0]
    apart = np.concatenate([session.run(None, {"images": image[None]})[0] for image in images])
    assert together.dtype == np.float32
    assert together.shape == (3, *OUTPUT[name][1])
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-4)


def test_embeddings_have_length_one() -> None:
    embeddings = session_of("person-reid-demo").run(None, {"images": pictures("person-reid-demo", 5)})[0]
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)


def test_detections_are_boxes_around_their_grid_points_with_scores_of_probabilities() -> None:
    output = session_of("person-detector-demo").run(None, {"images": pictures("person-detector-demo", 2)})[0]
    xc, yc, width, height, score = output.transpose(1, 0, 2)
    assert ((score >= 0) & (score <= 1)).all()
    assert (width > 0).all()
    assert (height > 0).all()
    # The first anchor is the stride-8 cell at the top left, the last one the stride-32 cell at the bottom right.
    for anchor, (x, y) in {
        0: (4, 4),
        63: (508, 4),
        64: (4, 12),
        2304: (8, 8),
        2880: (16, 16),
        3023: (496, 272),
    }.items():
        assert (np.abs(xc[:, anchor] - x) <= width[:, anchor] / 2 + 1e-3).all()
        assert (np.abs(yc[:, anchor] - y) <= height[:, anchor] / 2 + 1e-3).all()


@pytest.mark.parametrize("name", NAMES)
def test_card_belongs_to_the_file(name: str) -> None:
    card, file = card_of(name), file_of(name)
    assert card["name"] == name
    assert card["file"] == {
        "name": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
    }
    assert card["licence"] == {"name": "Apache-2.0", "commercial": True, "accept": False}
    assert card["input"]["shape"] == ["batch", 3, *INPUT_HW[name]]
    assert card["output"]["shape"] == ["batch", *OUTPUT[name][1]]
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert metadata["name"] == name
    assert metadata["card_version"] == str(card["version"])


def test_cards_claim_figures_good_enough_for_the_demo() -> None:
    detector, embedder = (card_of(name)["evaluation"] for name in NAMES)
    assert detector["ap50"] >= 0.93
    assert embedder["rank1"] >= 0.87


def test_both_models_together_stay_small() -> None:
    assert sum(file_of(name).stat().st_size for name in NAMES) < 8_000_000
