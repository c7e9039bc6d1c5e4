"""The files that the builder writes: what is inside, what they give, and what is refused."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

from model_builder.export import check_file, export, open_session, require_dynamic_batch
from model_builder.graph import Deployed, GraphSpec, UnitLength
from torch import nn

from savant_reid.errors import ModelError, OutputError

pytestmark = pytest.mark.builder

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SPEC = GraphSpec((3, 48, 25), "embedding", MEAN, STD, swap_channels=True, normalise=True)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 2e-3)])
def test_file_gives_what_pytorch_gives_at_any_batch(tmp_path: Path, precision: str, tolerance: float) -> None:
    net = network()
    file = export(net, SPEC, tmp_path / "net.onnx", precision)
    session = open_session(file)
    for batch in (1, 2, 7):
        images = SPEC.example(batch, seed=batch)
        swapped = images.flip(1) - torch.tensor(MEAN).view(3, 1, 1)
        with torch.no_grad():
            expected = nn.functional.normalize(net(swapped / torch.tensor(STD).view(3, 1, 1))).numpy()
        found = session.run(None, {"images": images.numpy()})[0]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=tolerance)
        # The rounding of half precision must not reach the length: L2 stays FP32.
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)


def test_half_precision_has_half_weights_and_single_inputs(tmp_path: Path) -> None:
    graph = onnx.load(export(network(), SPEC, tmp_path / "net.onnx", "fp16")).graph
    weights = [entry for entry in graph.initializer if len(entry.dims) == 4 and entry.dims[0] == 16]
    assert weights
    assert {entry.data_type for entry in weights} == {onnx.TensorProto.FLOAT16}
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    # Pixels reach mean and std as they are, not through half precision.
    assert graph.node[0].op_type != "Cast"


def test_unit_length_neither_overflows_in_half_precision_nor_divides_by_zero() -> None:
    large = torch.full((1, 2048), 300.0, dtype=torch.float16)
    assert torch.isfinite(UnitLength()(large)).all()
    torch.testing.assert_close(UnitLength()(large.float()).norm(), torch.tensor(1.0))
    assert UnitLength()(torch.zeros(1, 8)).tolist() == [[0.0] * 8]


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    class TwoOutputs(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((1, 2, 3))[:, None].expand(2, 5)  # two rows whatever the batch

    with pytest.raises(ModelError, match="found"):
        export(TwoOutputs(), SPEC, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be written"):
        export(network(), SPEC, tmp_path / "file" / "net.onnx")


def test_a_static_batch_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "static.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Deployed(network(), SPEC), (SPEC.example(1),), file, dynamo=False, input_names=["images"])
    with pytest.raises(ModelError, match=r"dynamic batch, found 'images' of \[1, 3, 48, 25\]"):
        require_dynamic_batch(open_session(file), file)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(ModelError, match="expected an ONNX model"):
        open_session(file)


def test_another_output_or_size_is_refused(tmp_path: Path) -> None:
    file = export(network(), SPEC, tmp_path / "net.onnx")
    other = GraphSpec((3, 48, 25), "features", MEAN, STD)
    with pytest.raises(ModelError, match="expected one output 'features' in FP32, found embedding"):
        check_file(file, other)
    with pytest.raises(ModelError, match=r"\[3, 64, 32\] per picture, found 'images' of \[3, 48, 25\]"):
        check_file(file, GraphSpec((3, 64, 32), "embedding", MEAN, STD))
