"""The detector and the embedder over small ONNX graphs whose answers are known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from savant_reid.errors import ModelError
from savant_reid.hosts.local.detector import Detector
from savant_reid.hosts.local.embedder import Embedder
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.module_config import Module, load_module
from tests.hosts.local.graphs import Dim, write_detector, write_embedder

MODULE = Path(__file__).parents[3] / "module/module.yml"
RED = (0, 0, 255)  # BGR; the graph sees 1.0 in the first channel
DARK_RED = (0, 0, 153)  # 0.6


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, **overrides: object) -> Module:
    monkeypatch.setenv("SAVANT_REID_MODELS", str(folder))
    # A small input, so that the boxes of the graphs below can be followed by hand.
    small = {"pipeline.elements[0].model.input.shape": "[3, 192, 320]"}
    return load_module(MODULE, small | {key.replace("__", "."): str(value) for key, value in overrides.items()})


def frame(colour: tuple[int, int, int], width: int = 640, height: int = 384, camera: str = "hall") -> Frame:
    return Frame(camera, 0, 0, np.full((height, width, 3), colour, np.uint8))


def person_rows(classes: int = 1, anchors: int = 1260) -> np.ndarray:
    """Two people in YOLOv8's layout: a certain one, and a weaker one that reaches over the left border."""
    rows = np.zeros((4 + classes, anchors), np.float32)
    rows[:5, 100] = (160, 96, 32, 80, 0.9)
    rows[:5, 700] = (5, 40, 20, 60, 0.5)
    return rows


def detector(folder: Path, monkeypatch: pytest.MonkeyPatch, **overrides: object) -> Detector:
    return Detector(module(folder, monkeypatch, **overrides).detector)


def detector_file(folder: Path) -> Path:
    return folder / "person-detector-demo/person-detector-demo.onnx"


def embedder_file(folder: Path) -> Path:
    return folder / "person-reid-demo/person-reid-demo.onnx"


@pytest.mark.parametrize("batch", ["batch", 1, 2, 3])
def test_frames_of_any_sizes_in_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: Dim) -> None:
    write_detector(detector_file(tmp_path), person_rows(), (3, 192, 320), batch=batch)
    stage = detector(tmp_path, monkeypatch)
    frames = [frame(RED), frame(DARK_RED, 320, 192), frame(RED, 960, 192), frame(RED), frame(RED)]
    stage.detect(frames)
    # 640 x 384 is twice the model's input; the second box is cut at the border: -5 … 15 becomes 0 … 15.
    np.testing.assert_allclose(frames[0].boxes, [[288, 112, 64, 160], [0, 20, 30, 120]], atol=1e-4)
    np.testing.assert_allclose(frames[0].confidences, [0.9, 0.5], rtol=1e-3)
    np.testing.assert_allclose(frames[1].boxes, [[144, 56, 32, 80], [0, 10, 15, 60]], atol=1e-4)
    np.testing.assert_allclose(frames[1].confidences, [0.54, 0.3], rtol=1e-3)
    # 960 x 192 is letterboxed to 320 x 64, black below: a third of the brightness, and boxes cut at the lower border.
    np.testing.assert_allclose(frames[2].confidences, [0.3, 0.5 / 3], rtol=1e-3)
    np.testing.assert_allclose(frames[2].boxes, [[432, 168, 96, 24], [0, 30, 45, 162]], atol=1e-4)
    np.testing.assert_allclose(frames[4].boxes, frames[0].boxes)
    assert frames[0].boxes.dtype == frames[0].confidences.dtype == np.float32
    assert stage.inference_seconds > 0
    assert stage.preparation_seconds > 0


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_detector(detector_file(tmp_path), person_rows(), (3, 192, 320))
    black = frame((0, 0, 0))
    stage = detector(tmp_path, monkeypatch)
    stage.detect([black])
    assert black.boxes.shape == (0, 4)
    assert black.confidences.shape == (0,)
    stage.detect([])


def test_yolov8n_of_80_classes_drops_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = person_rows(80, 8400)
    rows[:4, 300] = (400, 300, 50, 50)
    rows[4 + 56, 300] = 0.95  # a chair
    write_detector(tmp_path / "yolov8n.onnx", rows, (3, 640, 640))
    changed = module(
        tmp_path,
        monkeypatch,
        **{
            "pipeline.elements[0].model.local_path": tmp_path,
            "pipeline.elements[0].model.model_file": "yolov8n.onnx",
            "pipeline.elements[0].model.input.shape": [3, 640, 640],
            "pipeline.elements[0].model.output.num_detected_classes": 80,
        },
    )
    picture = frame(RED, 1280, 1280)
    Detector(changed.detector).detect([picture])
    np.testing.assert_allclose(picture.boxes, [[288, 112, 64, 160], [0, 20, 30, 120]], atol=1e-4)


def test_yolov5_layout_drops_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.concatenate((person_rows()[:5], np.ones((1, 1260), np.float32))).T.copy()
    write_detector(detector_file(tmp_path), rows, (3, 192, 320))
    picture = frame(RED)
    detector(tmp_path, monkeypatch).detect([picture])
    np.testing.assert_allclose(picture.confidences, [0.9, 0.5], rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "rows", "names", "message"),
    [
        (
            (3, 320, 192),
            (5, 10),
            ("images", "output0"),
            r"expected \[batch, 3, 192, 320\] or .*found \['batch', 3, 320, 192\]",
        ),
        ((3, 192, 320), (6, 1260), ("images", "output0"), r"expected an output of \[5, anchors\] .* found \[6, 1260\]"),
        (
            (3, 192, 320),
            (5, 10),
            ("images", "boxes"),
            r"expected an output 'output0' \(model.output.layer_names\), found boxes",
        ),
    ],
)
def test_detector_that_does_not_fit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, int, int],
    rows: tuple[int, int],
    names: tuple[str, str],
    message: str,
) -> None:
    write_detector(detector_file(tmp_path), np.zeros(rows, np.float32), shape, names=names)
    with pytest.raises(ModelError, match=message) as caught:
        detector(tmp_path, monkeypatch)
    assert "person_detector" in str(caught.value)


def test_wrong_input_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_detector(detector_file(tmp_path), person_rows(), (3, 192, 320))
    key = {"pipeline.elements[0].model.input.layer_name": "data"}
    with pytest.raises(ModelError, match=r"expected input 'data' \(model.input.layer_name\), found 'images'"):
        detector(tmp_path, monkeypatch, **key)


def test_absent_and_broken_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"person-detector-demo\.onnx: no such file"):
        detector(tmp_path, monkeypatch)
    path = detector_file(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        detector(tmp_path, monkeypatch)


def tracked(picture: Frame, boxes: list[list[float]]) -> Frame:
    picture.set_tracked(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32), np.arange(len(boxes))
    )
    return picture


@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_people_of_all_frames_share_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: Dim) -> None:
    write_embedder(embedder_file(tmp_path), (3, 128, 64), batch=batch)
    element = module(tmp_path, monkeypatch, **{"pipeline.elements[3].model.batch_size": 2}).embedder
    assert element is not None
    stage = Embedder(element)
    first = tracked(frame(RED), [[10, 10, 50, 100], [100, 10, 50, 100], [300, 10, 15, 100], [400, 10, 16, 39]])
    first.image[10:110, 100:150] = (30, 20, 10)
    nobody = tracked(frame(RED), [])
    second = tracked(frame(DARK_RED), [[-30, -20, 60, 100], [700, 500, 40, 90], [0, 0, 16, 40]])
    second.request_embeddings(np.array([True, True, False]))
    assert stage.embed([first, nobody, second]) == 4
    np.testing.assert_allclose(first.embeddings, [[255, 0, 0], [10, 20, 30]], atol=1e-4)
    np.testing.assert_array_equal(first.embedding_of, [0, 1, -1, -1])
    assert nobody.embeddings.shape == (0, 3)
    np.testing.assert_allclose(second.embeddings, [[153, 0, 0]] * 2, atol=1e-4)
    np.testing.assert_array_equal(second.embedding_of, [0, 1, -1])
    assert stage.dimension == 3
    assert stage.name == "person_reid"
    assert stage.sha256 == hashlib.sha256(embedder_file(tmp_path).read_bytes()).hexdigest()
    assert stage.embed([]) == 0


def test_channels_last_256x128_embedder_drops_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_embedder(tmp_path / "osnet.onnx", (256, 128, 3), names=("data", "features"))
    element = module(
        tmp_path,
        monkeypatch,
        **{
            "pipeline.elements[3].model.local_path": tmp_path,
            "pipeline.elements[3].model.model_file": "osnet.onnx",
            "pipeline.elements[3].model.input.shape": [3, 256, 128],
            "pipeline.elements[3].model.input.color_format": "bgr",
            "pipeline.elements[3].model.output.layer_names": "[features]",
        },
    ).embedder
    assert element is not None
    picture = tracked(frame((30, 20, 10)), [[10, 10, 50, 100]])
    Embedder(element).embed([picture])
    np.testing.assert_allclose(picture.embeddings, [[30, 20, 10]], atol=1e-4)


def test_embedder_that_gives_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_detector(embedder_file(tmp_path), np.zeros((5, 10), np.float32), (3, 128, 64), names=("images", "embedding"))
    element = module(tmp_path, monkeypatch).embedder
    assert element is not None
    with pytest.raises(ModelError, match=r"expected one vector per person, found \[5, 10\]"):
        Embedder(element)
