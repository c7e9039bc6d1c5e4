"""An engine's output by trtexec, for verify: one run per batch, through files. Nothing here has run on a GPU yet."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from model_builder.cards import Card
from model_builder.engines import (
    NoTensorRT,
    Profile,
    build_engine,
    check_engine,
    engine_name,
    find_trtexec,
    this_machine,
)
from savant_reid.errors import ModelError

Floats = NDArray[np.float32]
SHOWN_LINES = 5


@dataclass(frozen=True)
class EngineWish:
    """What the user asks for. batch: the largest; None: no engine. precision: fp32 or fp16."""

    batch: int | None
    precision: str


class EngineRuntime:
    """Input tensor (batch, ...) to output (batch, ...), float32, as `verify` takes a further runtime.

    tool: trtexec. Raises ModelError, with the end of the tool's words, where the engine does not run here: it belongs
    to one kind of GPU and one version of TensorRT.
    """

    def __init__(self, engine: Path, tool: str, input_name: str, output_name: str) -> None:
        self.engine, self._tool = engine, tool
        self._input, self._output = input_name, output_name

    def __call__(self, tensor: Floats) -> Floats:
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / "input.bin", Path(folder) / "output.json"
            np.ascontiguousarray(tensor, np.float32).tofile(given)
            shape = "x".join(map(str, tensor.shape))
            command = [
                self._tool,
                f"--loadEngine={self.engine}",
                f"--shapes={self._input}:{shape}",
                f"--loadInputs={self._input}:{given}",
                f"--exportOutput={made}",
                *("--warmUp=0", "--duration=0", "--iterations=1"),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not made.is_file():
                end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-SHOWN_LINES:])
                raise ModelError(f"{self.engine}: does not run here:\n{end}")
            return self._read(json.loads(made.read_text()))

    def _read(self, outputs: list[dict[str, Any]]) -> Floats:
        """trtexec writes each output as name, dimensions ("8x512") and a flat list of values."""
        found = {output["name"]: output for output in outputs}
        if self._output not in found:
            names = ", ".join(found)
            raise ModelError(f"{self.engine}: expected an output {self._output!r}, found {names}")
        output = found[self._output]
        sizes = [int(size) for size in output["dimensions"].split("x")]
        return np.array(output["values"], np.float32).reshape(sizes)


def build_engine_of(card: Card, onnx_file: Path, wish: EngineWish) -> None:
    """Builds the engine that is asked for, and says so; without TensorRT it says what to do instead, and goes on."""
    if wish.batch is None:
        return
    if not card.input.dynamic_batch:
        raise ModelError(f"{card.name}: its graph has a batch of {card.input.shape[0]}: leave its engine to Savant")
    size = card.input.shape[1:]
    try:
        engine = build_engine(
            onnx_file,
            Profile.of(wish.batch),
            wish.precision,  # type: ignore[arg-type]
            input_name=card.input.name,
            shape=size,  # type: ignore[arg-type]
        )
    except NoTensorRT as error:
        click.echo(f"skipped: {error}", err=True)
    else:
        click.echo(engine)


def engine_runtime_of(card: Card, onnx_file: Path, wish: EngineWish) -> dict[str, EngineRuntime]:
    """The engine beside the file, by its name, as a further runtime of verify; none without TensorRT.

    Raises ModelError where it is absent, of another ONNX file, GPU or TensorRT.
    """
    tool = find_trtexec()
    if wish.batch is None or tool is None:
        return {}
    engine = onnx_file.with_name(engine_name(onnx_file.name, wish.batch, 0, wish.precision))  # type: ignore[arg-type]
    if not engine.is_file():
        raise ModelError(f"{engine}: no such engine; build it: --engine-batch {wish.batch}")
    check_engine(engine, onnx_file, this_machine(tool))
    return {engine.name: EngineRuntime(engine, tool, card.input.name, card.output.name)}
