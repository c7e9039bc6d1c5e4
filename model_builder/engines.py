"""TensorRT engines, named as Savant looks for them. Nothing here has run on a GPU yet.

An engine belongs to one kind of GPU and one version of TensorRT; nvinfer says so only by building it again, or by
failing to read it. What an engine was built with therefore lies beside it, and is held against the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from savant_reid.errors import ModelError

EnginePrecision = Literal["fp32", "fp16", "int8"]
TIMING_CACHE = "tensorrt-timing.cache"
# Where NVIDIA's images have the tool, beside whatever is on the PATH.
TRTEXEC = ("trtexec", "/usr/src/tensorrt/bin/trtexec")
SHOWN_LINES = 5


class NoTensorRT(ModelError):
    """There is no TensorRT on this machine; the ONNX file serves as it is."""


@dataclass(frozen=True)
class Profile:
    """The batches of an engine: smallest, the one it is tuned for, largest."""

    least: int
    usual: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.usual <= self.most:
            raise ValueError(f"expected 1 <= min <= opt <= max, found {self.least}, {self.usual}, {self.most}")

    @classmethod
    def of(cls, most: int) -> Profile:
        """1 to ``most``, tuned for ``most``: nvinfer fills its batches."""
        return cls(1, most, most)


@dataclass(frozen=True)
class Machine:
    """What an engine is bound to. tensorrt: its version. capability: the GPU's compute capability, as 8.6."""

    tensorrt: str
    gpu: str
    capability: str


def engine_name(model_file: str, batch: int, gpu: int, precision: EnginePrecision) -> str:
    """Savant's name of an engine, from the name of the ONNX file; it reads batch, GPU and precision back from it."""
    return f"{model_file}_b{batch}_gpu{gpu}_{precision}.engine"


def trtexec_command(
    tool: str,
    onnx_file: Path,
    engine: Path,
    profile: Profile,
    precision: EnginePrecision,
    *,
    input_name: str,
    shape: tuple[int, int, int],
    calibration: Path | None = None,
) -> list[str]:
    """Arguments of NVIDIA's builder. calibration: TensorRT's own cache of ranges, for INT8 without Q and DQ nodes."""
    size = "x".join(map(str, shape))
    command = [tool, f"--onnx={onnx_file}", f"--saveEngine={engine}", "--skipInference"]
    for option, batch in (("min", profile.least), ("opt", profile.usual), ("max", profile.most)):
        command.append(f"--{option}Shapes={input_name}:{batch}x{size}")
    command.append(f"--timingCacheFile={onnx_file.parent / TIMING_CACHE}")
    if precision != "fp32":
        command.append("--fp16")
    if precision == "int8":
        command.append("--int8")
    if calibration is not None:
        command.append(f"--calib={calibration}")
    return command


def find_trtexec() -> str | None:
    """The tool on the PATH or where NVIDIA's images have it."""
    return next((found for name in TRTEXEC if (found := shutil.which(name))), None)


def build_engine(
    onnx_file: Path,
    profile: Profile,
    precision: EnginePrecision,
    *,
    input_name: str,
    shape: tuple[int, int, int],
    gpu: int = 0,
    calibration: Path | None = None,
    tool: str | None = None,
    machine: Machine | None = None,
) -> Path:
    """Builds an engine beside the ONNX file by trtexec; returns its path.

    shape: channels, height, width. tool, machine: found by themselves where not given. Raises NoTensorRT where there is
    none, ModelError with the end of the tool's output where it fails; an engine that was there stays then.
    """
    tool = tool or find_trtexec()
    if tool is None:
        raise NoTensorRT(
            f"{onnx_file.name}: no engine built: no TensorRT here (expected trtexec on the PATH or in"
            f" {Path(TRTEXEC[-1]).parent}). ONNX Runtime runs the ONNX file as it is; build the engine in Savant's"
            " container on the machine that will use it"
        )
    engine = onnx_file.with_name(engine_name(onnx_file.name, profile.most, gpu, precision))
    unfinished = engine.with_name(f".{engine.name}.partial")
    command = trtexec_command(
        tool, onnx_file, unfinished, profile, precision, input_name=input_name, shape=shape, calibration=calibration
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu)} if gpu else None
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode or not unfinished.is_file():
            end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-SHOWN_LINES:])
            raise ModelError(f"{engine.name}: {Path(tool).name} failed with {done.returncode}:\n{end}")
        unfinished.replace(engine)
    finally:
        unfinished.unlink(missing_ok=True)
    _write_origin(engine, onnx_file, profile, precision, machine or this_machine(tool, gpu))
    return engine


def _write_origin(
    engine: Path, onnx_file: Path, profile: Profile, precision: EnginePrecision, machine: Machine | None
) -> None:
    origin = {
        "onnx_sha256": hashlib.sha256(onnx_file.read_bytes()).hexdigest(),
        "engine_sha256": hashlib.sha256(engine.read_bytes()).hexdigest(),
        "profile": asdict(profile),
        "precision": precision,
        "machine": None if machine is None else asdict(machine),
    }
    origin_file(engine).write_text(json.dumps(origin, indent=1) + "\n")


def origin_file(engine: Path) -> Path:
    """Where it stands what an engine was built with."""
    return engine.with_name(f"{engine.name}.json")


def this_machine(tool: str | None = None, gpu: int = 0) -> Machine | None:
    """TensorRT's version, as the tool says it, and the GPU, as nvidia-smi says it; None where either is silent."""
    tool = tool or find_trtexec()
    query = ["nvidia-smi", f"--id={gpu}", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    said, graphics = _output([tool, "--help"]) if tool else "", _output(query)
    version = re.search(r"TensorRT[. ]v(\d+)", said)
    if version is None or graphics.count(",") != 1:
        return None
    name, capability = (part.strip() for part in graphics.strip().split(","))
    return Machine(version.group(1), name, capability)


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    except OSError:
        return ""


def check_engine(engine: Path, onnx_file: Path, machine: Machine | None) -> None:
    """Raises ModelError where an engine was built from another ONNX file, or for another GPU or TensorRT.

    machine: this one; None: not known, and then only the files are held against each other.
    """
    try:
        origin = json.loads(origin_file(engine).read_text())
        built_from, digest, built_on = origin["onnx_sha256"], origin["engine_sha256"], origin["machine"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{engine.name}: expected {origin_file(engine).name} beside it, which says what it was built with;"
            " build it again"
        ) from error
    for file, expected in ((onnx_file, built_from), (engine, digest)):
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise ModelError(f"{engine.name}: {file.name} has changed since the engine was built; build it again")
    if machine is None or built_on is None:
        return
    for key, found in asdict(machine).items():
        if built_on[key] != found:
            raise ModelError(
                f"{engine.name}: built for {key} {built_on[key]}, this machine has {found}:"
                " an engine is good for one GPU and one TensorRT; build it again here"
            )
