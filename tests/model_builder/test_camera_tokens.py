"""TransReID's side information: as an input, folded per group, and the mean."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from model_builder.__main__ import main
from model_builder.architectures.transreid import TransReID
from model_builder.camera_command import parsed
from model_builder.camera_tokens import distances, export_cameras
from model_builder.export import open_session
from model_builder.graph import GraphSpec

from savant_reid.errors import ModelError

pytestmark = pytest.mark.builder

ROOT = Path(__file__).parents[2]
SPEC = GraphSpec((3, 64, 32), "embedding", (127.5,) * 3, (127.5,) * 3, normalise=True)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def network() -> TransReID:
    torch.manual_seed(0)
    module = TransReID((64, 32), width=48, heads=4, jigsaw=False, cameras=4).eval()
    torch.nn.init.normal_(module.base.sie_embed, std=0.3)
    return module


def features(network: TransReID, images: torch.Tensor, cameras: list[int] | None) -> np.ndarray:
    with torch.no_grad():
        raw = network((images - 127.5) / 127.5, None if cameras is None else torch.tensor(cameras))
    return torch.nn.functional.normalize(raw).numpy()


def test_labels_are_a_second_input(tmp_path: Path, network: TransReID) -> None:
    session = open_session(export_cameras(network, SPEC, tmp_path / "t.onnx", "input"))
    assert [(entry.name, entry.type) for entry in session.get_inputs()] == [
        ("images", "tensor(float)"),
        ("cameras", "tensor(int64)"),
    ]
    images, cameras = SPEC.example(5), [3, 0, 1, 1, 2]
    found = session.run(None, {"images": images.numpy(), "cameras": np.array(cameras)})[0]
    np.testing.assert_allclose(found, features(network, images, cameras), atol=1e-5)
    other = session.run(None, {"images": images.numpy(), "cameras": np.zeros(5, np.int64)})[0]
    assert np.abs(other - found)[0].max() > 1e-3


def test_one_camera_folded_in_is_that_camera(tmp_path: Path, network: TransReID) -> None:
    session = open_session(export_cameras(network, SPEC, tmp_path / "t.onnx", [2]))
    assert [entry.name for entry in session.get_inputs()] == ["images"]
    images = SPEC.example(3)
    found = session.run(None, {"images": images.numpy()})[0]
    np.testing.assert_allclose(found, features(network, images, [2, 2, 2]), atol=1e-5)


def test_the_default_is_the_mean_and_leaves_the_network_as_it_was(tmp_path: Path, network: TransReID) -> None:
    session = open_session(export_cameras(network, SPEC, tmp_path / "t.onnx"))
    images = SPEC.example(3)
    found = session.run(None, {"images": images.numpy()})[0]
    np.testing.assert_allclose(found, features(network, images, None), atol=1e-5)
    assert network.base.sie_embed is not None


def test_the_mean_row_is_nearer_to_a_camera_than_another_camera_is(network: TransReID) -> None:
    found = distances(network, (SPEC.example(4) - 127.5) / 127.5)
    assert 0 < found["mean_to_own"] < found["other_to_own"]


def test_what_cannot_be_folded_is_told(tmp_path: Path, network: TransReID) -> None:
    with pytest.raises(ModelError, match=r"some of 0 to 3, found \[4\]"):
        export_cameras(network, SPEC, tmp_path / "t.onnx", [4])
    plain = TransReID((64, 32), width=48, heads=4, jigsaw=False)
    with pytest.raises(ModelError, match="found a network without"):
        export_cameras(plain, SPEC, tmp_path / "t.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("labels", ["", "a", "1,,2", "-1", "0;1"])
def test_labels_that_are_none_are_told(labels: str) -> None:
    with pytest.raises(ModelError, match="expected 'input' or numbers from 0 between commas"):
        parsed(labels)


def test_labels_are_numbers_or_input() -> None:
    assert parsed("input") == "input"
    assert parsed("4,0,4") == [0, 4]


def test_the_command_builds_a_group_and_verifies_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    content = yaml.safe_load((ROOT / "models" / "transreid-vit-b" / "card.yml").read_text())
    options = {"cameras": 4, "size": [64, 32], "width": 48, "heads": 4, "stride": 16, "jigsaw": False}
    content["architecture"]["options"] = options
    content["input"]["shape"] = ["batch", 3, 64, 32]
    content["output"]["shape"], content["embedding_dimension"] = ["batch", 48], 48
    content["source"] = {"kind": "checkpoint", "note": "random", "page": None}
    (models / "transreid-vit-b").mkdir(parents=True)
    (models / "transreid-vit-b" / "card.yml").write_text(yaml.safe_dump(content))
    network = TransReID((64, 32), width=48, heads=4, jigsaw=False, cameras=4)
    torch.nn.init.normal_(network.base.sie_embed, std=0.3)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    arguments = ["build-cameras", "transreid-vit-b", "1,3", "--models", str(models), "--accept-licence"]
    done = CliRunner().invoke(main, [*arguments, "--file", str(tmp_path / "weights.pth")])
    assert done.exit_code == 0, done.output
    file = models / "transreid-vit-b" / "transreid-vit-b.cameras-1-3.onnx"
    assert json.loads(file.with_name("verify.json").read_text())["files"][file.name]["passed"] is True
