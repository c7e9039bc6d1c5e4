"""Detectors of published checkpoints: names, shapes and numbers are the originals', and the exported file's too."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

sys.path.insert(0, str(Path(__file__).parent))
import published_weights
from model_builder.architectures import KeyMismatch, create, keys, rcnn_boxes
from model_builder.architectures.faster_rcnn import Detections, FasterRCNN
from model_builder.cards import read_card
from model_builder.export import OPSET, export, open_session
from model_builder.graph import Deployed, GraphSpec

pytestmark = pytest.mark.builder

ROOT = Path(__file__).parents[2]
CASES = json.loads((published_weights.FOLDER / "detectors.json").read_text())
RCNN = ("faster-rcnn-resnet50-fpn", "faster_rcnn_resnet50_fpn")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("table", CASES)
def test_gives_what_the_original_gives(table: str) -> None:
    case = CASES[table]
    name, top = case["architecture"], 255.0 if "yolox" in case["architecture"] else 1.0
    module = create(name)
    module.load_state_dict(keys(name, {"model": published_weights.random_weights(table)}))
    images = torch.rand((2, 3, *case["size"]), generator=torch.Generator().manual_seed(5)) * top
    with torch.no_grad():
        output = module(images)
    assert list(output.shape) == case["shape"]
    near = {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(output[0, :, 7][:6], torch.tensor(case["first"]), **near)
    torch.testing.assert_close(output[1, -1, -6:], torch.tensor(case["last"]), **near)
    assert float(output.double().std()) == pytest.approx(case["deviation"], rel=1e-4)


@pytest.mark.parametrize("name", ["yolox-nano", "yolov8n", "faster-rcnn"])
def test_output_is_the_one_of_the_card(name: str) -> None:
    card = read_card(ROOT / "models" / name / "card.yml")
    assert card.architecture.name is not None
    module = create(card.architecture.name, **card.architecture.options)
    with torch.inference_mode():
        output = module(torch.rand(1, 3, *card.input.size))
    assert tuple(output.shape[1:]) == card.output.shape[1:]


@pytest.mark.parametrize("name", ["yolox-nano", "yolov8n"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 2e-2)])
def test_exported_file_gives_what_the_network_gives(
    tmp_path: Path, name: str, precision: str, tolerance: float
) -> None:
    module = create(name)
    module.load_state_dict(keys(name, published_weights.random_weights(name.replace("-", "_"))))
    spec = GraphSpec((3, 64, 96), "output", input_top=255.0 if "yolox" in name else 1.0)
    session = open_session(export(module, spec, tmp_path / "net.onnx", precision))
    images = spec.example(3, seed=1)
    with torch.no_grad():
        expected = module(images).numpy()
    found = session.run(None, {"images": images.numpy()})[0]
    assert (np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)).max() < tolerance


@pytest.mark.real
def test_real_yolox_weights_give_what_the_published_graph_gives(real_folder: Path) -> None:
    file = real_folder / "yolox_nano_416x416.onnx"
    weights = pytest.importorskip("model_builder.weights_of_onnx")
    module = create("yolox-nano")
    weights.load_weights(module, file, torch.rand(1, 3, 64, 64))
    images = GraphSpec((3, 416, 416), "output").example(1, seed=3)
    published = open_session(file).run(None, {"images": images.numpy()})[0]
    with torch.no_grad():
        ours = module(images).numpy()
    np.testing.assert_allclose(ours, published, atol=2e-4)
    # The published file finds something in it, so that the comparison is not one of zeros.
    assert np.abs(published[..., :4]).max() > 1.0


def test_faster_rcnn_takes_the_names_of_2020_and_those_of_today() -> None:
    today = published_weights.random_weights(RCNN[1])
    assert len(today) == 295
    earlier = {
        name.replace("_blocks.0.0", "_blocks.0").replace("head.conv.0.0", "head.conv"): value
        for name, value in today.items()
    }
    assert set(earlier) != set(today)
    first, second = keys(RCNN[0], today), keys(RCNN[0], earlier)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_of_another_detector_is_refused_by_name() -> None:
    with pytest.raises(KeyMismatch, match=r"model\.0\.conv\.weight"):
        keys("yolox-nano", published_weights.random_weights("yolov8n"))
    with pytest.raises(KeyMismatch, match="of another shape"):
        keys("yolov8s", published_weights.random_weights("yolov8n"))


def small_rcnn() -> FasterRCNN:
    module = FasterRCNN(boxes=20, proposals=100).eval()
    module.load_state_dict(published_weights.random_weights(RCNN[1]))
    return module


def test_faster_rcnn_finds_what_torchvision_finds() -> None:
    original = json.loads((published_weights.FOLDER / "faster_rcnn_found.json").read_text())
    with torch.no_grad():
        table = small_rcnn()(torch.rand((2, 3, 96, 160), generator=torch.Generator().manual_seed(5)))
    scores, labels = table[:, 4:].max(dim=1)
    torch.testing.assert_close(scores, torch.tensor(original["scores"]), rtol=1e-4, atol=1e-4)
    assert labels.tolist() == original["labels"]
    centres, sizes = table[:, :2], table[:, 2:4]
    corners = torch.cat((centres - sizes / 2, centres + sizes / 2), dim=1).transpose(1, 2)
    torch.testing.assert_close(corners, torch.tensor(original["boxes"]), rtol=0, atol=0.02)


@pytest.mark.slow
def test_faster_rcnn_file_gives_what_the_network_gives(tmp_path: Path) -> None:
    module = small_rcnn()
    spec = GraphSpec((3, 96, 160), "output0", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), input_top=1.0)
    session = open_session(export(module, spec, tmp_path / "rcnn.onnx"))
    for batch in (1, 3):
        images = spec.example(batch, seed=batch)
        with torch.no_grad():
            expected = Deployed(module, spec)(images).numpy()
        found = session.run(None, {"images": images.numpy()})[0]
        assert found.shape == (batch, 95, 20)
        assert (found[:, 4:].max(axis=1) > 0.05).sum() > batch
        np.testing.assert_allclose(found[:, 4:].max(axis=1), expected[:, 4:].max(axis=1), atol=1e-4)
        # Random weights move boxes by many times their size: where a proposal lies on the edge, so does its rounding.
        assert (np.abs(found[:, :4] - expected[:, :4]).max(axis=1) < 0.05).mean() > 0.95


def test_detections_are_a_table_of_boxes_with_one_class_each() -> None:
    """Two proposals on one person and one on another: the weaker of the two goes, the rest is zeros."""
    proposals = torch.tensor([[[10.0, 10, 30, 50], [11, 10, 31, 50], [60, 20, 80, 60]]])
    logits = torch.full((3, 91), -10.0)
    logits[0, 1], logits[1, 1], logits[2, 1] = 5.0, 4.0, 3.0
    table = Detections(91, 5, 0.05)(logits, torch.zeros(3, 364), proposals, torch.ones(1, 3), (96, 160))[0]
    assert table.shape == (95, 5)
    torch.testing.assert_close(table[:4, 0], torch.tensor([20.0, 30, 20, 40]))
    torch.testing.assert_close(table[:4, 1], torch.tensor([70.0, 40, 20, 40]))
    assert (table[4 + 1, :2] > 0.9).all()
    assert float(table[4:].sum()) == pytest.approx(float(table[4 + 1, :2].sum()))
    assert not table[:, 2:].any()


def run_operator(node: onnx.NodeProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    given = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in inputs.items()
    ]
    kind = onnx.TensorProto.INT64 if node.op_type == "NonMaxSuppression" else onnx.TensorProto.FLOAT
    made = onnx.helper.make_tensor_value_info("made", kind, None)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "one", given, [made]), opset_imports=[onnx.helper.make_opsetid("", OPSET)]
    )
    model.ir_version = 8
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


def boxes_in(count: int, span: float) -> torch.Tensor:
    starts = torch.rand(count, 2) * span
    return torch.cat((starts, starts + torch.rand(count, 2) * span * 0.6), dim=1)


def test_pooling_is_the_operator_of_onnx() -> None:
    features = torch.randn(2, 5, 11, 17)
    # Some reach outside, one is a point.
    boxes = torch.cat((boxes_in(12, 120.0) - 15.0, torch.tensor([[40.0, 40, 40, 40]])))
    pictures = torch.arange(len(boxes)) % 2
    ours = rcnn_boxes.RoiAlign.apply(features, boxes, pictures, 0.125, 7).numpy()
    options = {"mode": "avg", "output_height": 7, "output_width": 7, "sampling_ratio": 2, "spatial_scale": 0.125}
    options["coordinate_transformation_mode"] = "output_half_pixel"
    node = onnx.helper.make_node("RoiAlign", ["features", "boxes", "pictures"], ["made"], **options)
    inputs = {"features": features.numpy(), "boxes": boxes.numpy(), "pictures": pictures.numpy()}
    np.testing.assert_allclose(ours, run_operator(node, inputs), atol=1e-5)


def test_suppression_is_the_operator_of_onnx() -> None:
    boxes, scores = torch.stack([boxes_in(60, 100.0) for _ in range(2)]), torch.rand(2, 1, 60)
    scores[0, 0, :10] = rcnn_boxes.PADDING
    ours = rcnn_boxes.Suppression.apply(boxes, scores, 25, 0.4).numpy()
    node = onnx.helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["made"])
    inputs = {"boxes": boxes.numpy(), "scores": scores.numpy(), "most": np.array([25])}
    inputs |= {"overlap": np.array([0.4], np.float32), "least": np.array([rcnn_boxes.PADDING / 2], np.float32)}
    theirs = run_operator(node, inputs)
    assert len(ours) > 10
    np.testing.assert_array_equal(ours, theirs)
    assert not {(0, row) for row in range(10)} & {(int(picture), int(row)) for picture, _, row in ours}
