"""build and verify with an engine. The tool is a script on top of ONNX Runtime: no GPU has run this yet."""
# ruff: noqa: E402 - the imports follow the check that PyTorch is there

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from model_builder.__main__ import main
from model_builder.engines import find_trtexec
from tests.model_builder.small_models import lively_network, small_card

pytestmark = pytest.mark.builder
NAME = "osnet-x1-0"
# The engine is the ONNX file itself; --loadInputs and --exportOutput have the real tool's formats.
TOOL = """#!{python}
import json, pathlib, shutil, sys
import numpy as np, onnxruntime
options = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
if "--onnx" in options:
    shutil.copyfile(options["--onnx"], options["--saveEngine"])
elif "--loadEngine" in options:
    name, _, shape = options["--shapes"].partition(":")
    file = options["--loadInputs"].partition(":")[2]
    tensor = np.fromfile(file, np.float32).reshape([int(size) for size in shape.split("x")])
    session = onnxruntime.InferenceSession(options["--loadEngine"], providers=["CPUExecutionProvider"])
    output = session.run(None, {{name: tensor}})[0] * {factor}
    entry = {{"name": "embedding", "dimensions": "x".join(map(str, output.shape)), "values": output.ravel().tolist()}}
    pathlib.Path(options["--exportOutput"]).write_text(json.dumps([entry]))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    file = tmp_path_factory.mktemp("published") / "osnet.pth"
    torch.save(lively_network(small_card(NAME, 64, 32)).state_dict(), file)
    return file


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models" / NAME).mkdir(parents=True)
    card = small_card(NAME, 64, 32).model_dump(mode="json", exclude_none=True)
    (tmp_path / "models" / NAME / "card.yml").write_text(yaml.safe_dump(card))
    return tmp_path / "models"


def put_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, factor: float = 1.0) -> None:
    tool = folder / "bin/trtexec"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(TOOL.format(python=sys.executable, factor=factor))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))


def run(command: str, models: Path, checkpoint: Path) -> tuple[int, str]:
    arguments = [command, NAME, "--models", models, "--file", checkpoint, "--engine-batch", 4]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_an_engine_is_built_under_savants_name_and_verified(
    checkpoint: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path, monkeypatch)
    assert run("build", models, checkpoint)[0] == 0
    checks = json.loads((models / NAME / "verify.json").read_text())["files"][f"{NAME}.onnx"]["checks"]
    engine = f"{NAME}.onnx_b4_gpu0_fp16.engine"
    assert [(check["runtime"], check["batch"]) for check in checks[3:]] == [(engine, 1), (engine, 2), (engine, 4)]
    assert {check["expected_cosine"] for check in checks[3:]} == {0.999}

    put_tool(tmp_path, monkeypatch, factor=0.9)
    code, output = run("verify", models, checkpoint)
    assert (code, "differs from what was published" in output) == (1, True)

    (models / NAME / engine).write_bytes(b"of another GPU")
    assert "has changed since the engine was built" in run("verify", models, checkpoint)[1]


def test_without_tensorrt_the_engine_is_skipped_and_said_so(
    checkpoint: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    if find_trtexec():
        pytest.skip("this machine has TensorRT")
    code, output = run("build", models, checkpoint)
    assert code == 0
    assert "skipped: osnet-x1-0.onnx: no engine built: no TensorRT here" in output
