"""From a checkpoint to a verified file, by the command, and what stops on the way."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from model_builder.__main__ import main
from model_builder.build import build, check_graph
from model_builder.cards import Card, load_card
from tests.hosts.local.graphs import write_embedder
from tests.model_builder.small_models import lively_network, small_card

from savant_reid.errors import ModelError, OutputError
from savant_reid.hosts.local.verified_model import check_verified

pytestmark = pytest.mark.builder
NAME = "osnet-x1-0"  # its card pins no SHA-256, so that a checkpoint of this test stands for the published one


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def card() -> Card:
    return small_card(NAME, 64, 32)


@pytest.fixture(scope="module")
def checkpoint(card: Card, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Torchreid writes it: with its classifier, and under DataParallel's names."""
    state = lively_network(card).state_dict() | {
        "classifier.weight": torch.zeros(9, 512),
        "classifier.bias": torch.ones(9),
    }
    file = tmp_path_factory.mktemp("published") / "osnet.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3}, file)
    return file


@pytest.fixture
def models(card: Card, tmp_path: Path) -> Path:
    folder = tmp_path / "models" / NAME
    folder.mkdir(parents=True)
    (folder / "card.yml").write_text(yaml.safe_dump(card.model_dump(mode="json", exclude_none=True)))
    return folder.parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def left(models: Path) -> list[str]:
    return sorted(path.name for path in models.rglob("*") if path.is_file())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_checkpoint_becomes_a_verified_file(checkpoint: Path, models: Path, precision: str) -> None:
    assert "not built" in run("list", "--models", models).output
    result = run("build", NAME, "--models", models, "--file", checkpoint, "--precision", precision)
    assert result.exit_code == 0, result.output

    name = f"{NAME}.onnx" if precision == "fp32" else f"{NAME}.fp16.onnx"
    assert left(models) == ["card.yml", name, "verify.json", "verify.md"]
    digest = hashlib.sha256((models / NAME / name).read_bytes()).hexdigest()
    entry = json.loads((models / NAME / "verify.json").read_text())["files"][name]
    assert (entry["sha256"], entry["passed"], entry["precision"]) == (digest, True, precision)
    assert entry["source"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert [check["batch"] for check in entry["checks"]] == [1, 2, 8]
    assert all(check["cosine"] >= (0.9999 if precision == "fp32" else 0.999) for check in entry["checks"])
    assert f"## {name}: passed" in (models / NAME / "verify.md").read_text()
    check_verified("reid", models / NAME / name, digest)  # what the module does before it runs it
    with pytest.raises(ModelError, match="expected SHA-256"):
        check_verified("reid", models / NAME / name, "0" * 64)


def test_a_file_of_other_weights_fails_and_is_not_run(checkpoint: Path, models: Path, card: Card) -> None:
    torch.manual_seed(7)
    other = torch.load(checkpoint, weights_only=True)["state_dict"]
    other = {
        name: value + 0.05 * torch.randn_like(value) if value.is_floating_point() else value
        for name, value in other.items()
    }
    torch.save(other, models / "other.pth")
    file = build(card, models / "other.pth", models)
    result = run("verify", NAME, "--models", models, "--file", checkpoint)
    assert result.exit_code == 1
    assert "differs from what was published" in result.output
    with pytest.raises(ModelError, match="failed its verification"):
        check_verified("reid", file, hashlib.sha256(file.read_bytes()).hexdigest())
    assert "failed" in run("list", "--models", models).output


def test_list_tells_a_file_that_was_changed_since(checkpoint: Path, models: Path) -> None:
    run("build", NAME, "--models", models, "--file", checkpoint, "--max-batch", 1)
    assert "verified" in run("list", "--models", models).output
    (models / NAME / f"{NAME}.onnx").write_bytes(b"other")
    assert "changed" in run("list", "--models", models).output


def test_a_checkpoint_of_another_model_is_refused_by_its_names(checkpoint: Path, models: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    state["module.extra.weight"] = state.pop("module.fc.0.weight")
    torch.save(state, models / "wrong.pth")
    result = run("build", NAME, "--models", models, "--file", models / "wrong.pth")
    assert result.exit_code == 1
    for part in (
        "wrong.pth: not a checkpoint for the card osnet-x1-0",
        "missing: fc.0.weight",
        "left over: extra.weight",
    ):
        assert part in result.output
    assert left(models) == ["card.yml", "wrong.pth"]


def test_a_file_with_another_digest_than_the_cards_is_refused(checkpoint: Path) -> None:
    result = run("build", "osnet-x0-25", "--file", checkpoint)
    assert result.exit_code == 1
    assert "expected SHA-256 cf55163d" in result.output


def test_verify_before_build_and_an_unknown_name_are_told(checkpoint: Path, models: Path) -> None:
    assert "no such file; build it first" in run("verify", NAME, "--models", models, "--file", checkpoint).output
    assert "no such card; expected one of: osnet-x1-0" in run("build", "osnet", "--models", models).output


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 64 KiB, as where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_leaves_the_old_file(
    card: Card, checkpoint: Path, models: Path, request: pytest.FixtureRequest
) -> None:
    file = models / NAME / f"{NAME}.onnx"
    file.write_bytes(b"the one before")
    request.getfixturevalue("small_files")
    with pytest.raises(OutputError, match=r"osnet-x1-0\.onnx: cannot be written"):
        build(card, checkpoint, models)
    assert file.read_bytes() == b"the one before"
    assert left(models) == ["card.yml", f"{NAME}.onnx"]


def graph_card(**changes: object) -> Card:
    """A card of a published graph: NVIDIA's, with the tiny graph of the host's tests in its place."""
    card = load_card("reidentificationnet")
    given = card.input.model_copy(update={"name": "images"})
    made = card.output.model_copy(update={"name": "embedding", "shape": ("batch", 3)})
    return card.model_copy(update={"input": given, "output": made, "embedding_dimension": 3, **changes})


def test_a_published_graph_is_held_to_its_card(tmp_path: Path) -> None:
    write_embedder(tmp_path / "net.onnx", (3, 256, 128))
    check_graph(graph_card(), tmp_path / "net.onnx")
    write_embedder(tmp_path / "static.onnx", (3, 256, 128), batch=4)
    with pytest.raises(ModelError, match=r"found 'images' of tensor\(float\) \[4, 3, 256, 128\]\. Its batch is static"):
        check_graph(graph_card(), tmp_path / "static.onnx")
    write_embedder(tmp_path / "small.onnx", (3, 128, 64))
    with pytest.raises(ModelError, match=r"expected one input 'images' of FP32 \['batch', 3, 256, 128\]"):
        check_graph(graph_card(), tmp_path / "small.onnx")
    write_embedder(tmp_path / "named.onnx", (3, 256, 128), names=("data", "embedding"))
    with pytest.raises(ModelError, match="found 'data'"):
        check_graph(graph_card(), tmp_path / "named.onnx")
    (tmp_path / "none.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"none\.onnx: expected an ONNX model"):
        check_graph(graph_card(), tmp_path / "none.onnx")


def test_a_graph_is_not_converted(tmp_path: Path) -> None:
    write_embedder(tmp_path / "net.onnx", (3, 256, 128))
    with pytest.raises(ModelError, match="taken as it is: expected fp32, found fp16"):
        build(graph_card(), tmp_path / "net.onnx", tmp_path, "fp16")


@pytest.mark.real
@pytest.mark.parametrize("name", ["person-reidentification-retail-0287", "person-reidentification-retail-0248"])
def test_the_real_graphs_at_hand_build_and_verify(real_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "card.yml").write_text((Path(__file__).parents[2] / "models" / name / "card.yml").read_text())
    result = run("build", name, "--models", tmp_path, "--file", real_folder / f"{name}.onnx")
    assert result.exit_code == 0, result.output
    (check,) = json.loads((folder / "verify.json").read_text())["files"][f"{name}.onnx"]["checks"]
    assert (check["batch"], check["passed"]) == (1, True)
