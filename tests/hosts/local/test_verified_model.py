"""A model file is refused where it is not the one that was verified, unless the module says otherwise."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from savant_reid.errors import ModelError
from savant_reid.hosts.local.model_schema import EmbedderModel, ModelInput
from savant_reid.hosts.local.module_config import load_module
from savant_reid.hosts.local.module_schema import LocalHost
from savant_reid.hosts.local.onnx_model import OnnxModel
from tests.hosts.local.graphs import write_embedder

MODULE = Path(__file__).parents[3] / "module/module.yml"
ATTRIBUTES = [{"name": "reid"}]
CONVERTER = {"module": "savant_reid.pyfuncs.converter", "class_name": "KeepTensor"}


@pytest.fixture
def model(tmp_path: Path) -> EmbedderModel:
    write_embedder(tmp_path / "net.onnx", (3, 16, 8))
    output = {"layer_names": ["embedding"], "converter": CONVERTER, "attributes": ATTRIBUTES}
    return EmbedderModel(local_path=tmp_path, model_file="net.onnx", input=ModelInput(shape=(3, 16, 8)), output=output)


def load(model: EmbedderModel, **settings: bool) -> OnnxModel:
    return OnnxModel("reid", model, "embedding", LocalHost(**settings))


def digest(model: EmbedderModel) -> str:
    return hashlib.sha256(model.path.read_bytes()).hexdigest()


def write_report(model: EmbedderModel, sha256: str, passed: bool = True) -> None:
    files = {"net.onnx": {"sha256": sha256, "passed": passed}}
    model.path.with_name("verify.json").write_text(json.dumps({"version": 1, "model": "net", "files": files}))


def write_card(model: EmbedderModel, name: str, sha256: str) -> None:
    model.path.with_name("card.yml").write_text(yaml.safe_dump({"file": {"name": name, "sha256": sha256}}))


def test_a_model_that_nobody_knows_is_run(model: EmbedderModel) -> None:
    assert load(model).sha256 == digest(model)


def test_the_verified_file_is_run(model: EmbedderModel) -> None:
    write_report(model, digest(model))
    load(model)
    write_card(model, "net.onnx", "0" * 64)  # of an older file; what was verified since counts
    load(model)


def test_a_file_that_was_changed_since_is_refused(model: EmbedderModel) -> None:
    write_report(model, digest(model))
    model.path.write_bytes(model.path.read_bytes() + b"\x72\x00")  # an empty field: the same graph, another file
    with pytest.raises(ModelError, match=r"reid: .*net\.onnx: expected SHA-256 .*verify\.json says; found") as caught:
        load(model)
    assert digest(model) in str(caught.value)
    assert "accept_unverified_models" in str(caught.value)
    assert load(model, accept_unverified_models=True).sha256 == digest(model)


def test_a_file_that_failed_is_refused(model: EmbedderModel) -> None:
    write_report(model, digest(model), passed=False)
    with pytest.raises(ModelError, match=r"net\.onnx: failed its verification"):
        load(model)


def test_a_shipped_model_is_held_to_its_card(model: EmbedderModel) -> None:
    write_card(model, "net.onnx", digest(model))
    load(model)
    write_card(model, "net.onnx", "0" * 64)
    with pytest.raises(ModelError, match=r"expected SHA-256 0+, as .*card\.yml says"):
        load(model)
    write_card(model, "other.onnx", "0" * 64)
    load(model)


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"version": 1}'])
def test_a_broken_report_is_no_proof(model: EmbedderModel, text: str) -> None:
    model.path.with_name("verify.json").write_text(text)
    with pytest.raises(ModelError, match=r"verify\.json: cannot be read"):
        load(model)


def test_the_module_can_say_otherwise() -> None:
    assert not load_module(MODULE).local_host.accept_unverified_models
    module = load_module(MODULE, overrides={"parameters.local_host.accept_unverified_models": "true"})
    assert module.local_host.accept_unverified_models
