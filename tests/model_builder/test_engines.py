"""Engines: their names, the tool's arguments, and what is refused. The tool is a script: no GPU has run this yet."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from model_builder.engines import (
    Machine,
    NoTensorRT,
    Profile,
    build_engine,
    check_engine,
    engine_name,
    find_trtexec,
    origin_file,
    this_machine,
    trtexec_command,
)

from savant_reid.errors import ModelError

MACHINE = Machine("8601", "NVIDIA RTX A2000", "8.6")
PICTURE = {"input_name": "images", "shape": (3, 256, 128)}
# Writes its own arguments into the engine, as the real tool writes the engine: to --saveEngine, after having worked.
TOOL = """#!{python}
import pathlib, sys
if "--help" in sys.argv:
    print("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --help")
    sys.exit(0)
options = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
if pathlib.Path(options["--onnx"]).read_bytes() == b"not a model":
    pathlib.Path(options["--saveEngine"]).write_bytes(b"half")
    print("[E] Failed to parse onnx file", file=sys.stderr)
    sys.exit(1)
pathlib.Path(options["--saveEngine"]).write_text("\\n".join(sys.argv[1:]))
"""


@pytest.fixture
def tool(tmp_path: Path) -> str:
    script = tmp_path / "bin" / "trtexec"
    script.parent.mkdir()
    script.write_text(TOOL.format(python=sys.executable))
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    file = tmp_path / "models" / "osnet.onnx"
    file.parent.mkdir()
    file.write_bytes(b"a model")
    return file


def test_name_is_the_one_that_savant_looks_for() -> None:
    assert engine_name("osnet.onnx", 16, 0, "fp16") == "osnet.onnx_b16_gpu0_fp16.engine"


@pytest.mark.parametrize(
    ("precision", "flags"), [("fp32", set()), ("fp16", {"--fp16"}), ("int8", {"--fp16", "--int8"})]
)
def test_arguments_of_the_tool(precision: str, flags: set[str]) -> None:
    command = trtexec_command("trtexec", Path("m/o.onnx"), Path("m/o.engine"), Profile(1, 4, 16), precision, **PICTURE)
    assert command[:3] == ["trtexec", "--onnx=m/o.onnx", "--saveEngine=m/o.engine"]
    assert "--minShapes=images:1x3x256x128" in command
    assert "--optShapes=images:4x3x256x128" in command
    assert "--maxShapes=images:16x3x256x128" in command
    assert "--timingCacheFile=m/tensorrt-timing.cache" in command
    assert {"--fp16", "--int8"} & set(command) == flags


def test_builds_under_the_right_name_and_says_what_with(tool: str, onnx_file: Path) -> None:
    engine = build_engine(onnx_file, Profile.of(16), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    assert engine.name == "osnet.onnx_b16_gpu0_fp16.engine"
    assert "--maxShapes=images:16x3x256x128" in engine.read_text()
    assert sorted(file.name for file in onnx_file.parent.iterdir()) == [
        "osnet.onnx",
        engine.name,
        f"{engine.name}.json",
    ]
    check_engine(engine, onnx_file, MACHINE)


def test_a_tool_that_fails_leaves_the_engine_that_was_there(tool: str, onnx_file: Path) -> None:
    engine = build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    before = engine.read_bytes()
    onnx_file.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"trtexec failed with 1:\n.*Failed to parse onnx file"):
        build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    assert engine.read_bytes() == before
    assert not list(onnx_file.parent.glob(".*"))


def test_without_tensorrt_the_message_says_what_to_do(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(onnx_file.parent))
    if find_trtexec():
        pytest.skip("this machine has TensorRT")
    with pytest.raises(NoTensorRT, match=r"no TensorRT here.*ONNX Runtime runs the ONNX file"):
        build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(MACHINE, gpu="NVIDIA A10"), "built for gpu NVIDIA RTX A2000, this machine has NVIDIA A10"),
        (replace(MACHINE, tensorrt="100300"), "built for tensorrt 8601, this machine has 100300"),
        (replace(MACHINE, capability="7.2"), "built for capability 8.6, this machine has 7.2"),
    ],
)
def test_an_engine_of_another_machine_is_refused(tool: str, onnx_file: Path, other: Machine, message: str) -> None:
    engine = build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    with pytest.raises(ModelError, match=message):
        check_engine(engine, onnx_file, other)


def test_an_engine_of_another_model_and_a_damaged_one_are_refused(tool: str, onnx_file: Path) -> None:
    engine = build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    engine.write_bytes(engine.read_bytes()[:-5])
    with pytest.raises(ModelError, match=r"osnet.onnx_b4_gpu0_fp16.engine has changed"):
        check_engine(engine, onnx_file, MACHINE)
    engine = build_engine(onnx_file, Profile.of(4), "fp16", **PICTURE, tool=tool, machine=MACHINE)
    onnx_file.write_bytes(b"another model")
    with pytest.raises(ModelError, match=r"osnet.onnx has changed since the engine was built"):
        check_engine(engine, onnx_file, MACHINE)
    origin_file(engine).write_text("{}")
    with pytest.raises(ModelError, match=r"expected .* beside it"):
        check_engine(engine, onnx_file, MACHINE)


def test_the_machine_is_known_only_where_both_tell(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "driver"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    assert this_machine(tool) is None
    script = folder / "nvidia-smi"
    script.write_text(f"#!{sys.executable}\nprint('NVIDIA RTX A2000, 8.6')\n")
    script.chmod(0o755)
    assert this_machine(tool) == MACHINE


@pytest.mark.parametrize("batches", [(0, 1, 1), (2, 1, 4), (1, 8, 4)])
def test_a_profile_out_of_order_is_refused(batches: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="min <= opt <= max"):
        Profile(*batches)
