"""How a run of the local host ends when something breaks."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from savant_reid.errors import ConfigError, OutputError, SavantReidError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.host import HostRun, run_host
from savant_reid.hosts.local.module_config import load_module
from savant_reid.hosts.local.pipeline import Pipeline
from savant_reid.hosts.local.sources import CameraStats
from savant_reid.hosts.plugin import Plugin

MODULE = Path(__file__).parents[3] / "module" / "module.yml"


class OneFrameThenSilence:
    """A live camera that is connected and says nothing more."""

    live = True
    connected = True

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.stats = CameraStats()
        self.ended = False
        self._frame: Frame | None = Frame(camera, 0, 1, np.zeros((192, 320, 3), np.uint8))

    def start(self) -> None: ...

    def peek(self, timeout_seconds: float) -> Frame | None:  # noqa: ARG002 - protocol
        return self._frame

    def take(self) -> Frame | None:
        frame, self._frame = self._frame, None
        return frame

    def stop_soon(self) -> None:
        pass

    def stop(self) -> None:
        self.ended = True


class Sink:
    """Counts its closings; breaks at the first frame where asked to."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.closed = error, 0

    def write_events(self, _events: object) -> None: ...

    def write_frame(self, _record: object) -> None:
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def error_of(run: HostRun, seconds: float = 30.0) -> Any:
    """What run_host raises, from a thread: a run that hangs must fail the test, not hang it."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            run_host(run)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "the run hangs"
    return raised[0]


def host_run(tmp_path: Path, sink: Sink, cameras: str = "{door: {}}", **overrides: str) -> HostRun:
    site = tmp_path / "site.yml"
    site.write_text(f"site: shop\ncameras: {cameras}\n")
    module = load_module(MODULE, {"parameters.site": str(site), **overrides})
    return HostRun(module, [OneFrameThenSilence("door")], tmp_path, lambda: None, lambda _model: sink)


def refused(tmp_path: Path, old: str, new: str) -> str:
    """What a pipeline says of the project's module with one place changed."""
    module = tmp_path / "module.yml"
    text = MODULE.read_text()
    assert old in text
    module.write_text(text.replace(old, new))
    site = tmp_path / "site.yml"
    site.write_text("site: shop\ncameras: {door: {}}\n")
    overrides = {"parameters.models": str(MODULE.parents[1] / "models"), "parameters.site": str(site)}
    with pytest.raises(ConfigError) as caught:
        Pipeline(load_module(module, overrides), {})
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["decode", "detector", "tracker", "embedder", "overlay", "encode", "sinks", "identify"]
)
def test_a_pyfunc_must_not_be_called_like_a_stage(tmp_path: Path, name: str) -> None:
    message = refused(tmp_path, "name: gate\n", f"name: {name}\n")
    assert "name: expected one that is not taken" in message
    assert f"found {name!r}" in message


def test_the_embeddings_that_identify_reads_must_be_the_modules(tmp_path: Path) -> None:
    message = refused(tmp_path, "embedding_model: person_reid", "embedding_model: osnet")
    assert "Identify: embedding_model: " in message
    assert "'person_reid'; found 'osnet'" in message


def test_a_wrong_setting_of_the_gate_is_refused_before_the_run(tmp_path: Path) -> None:
    message = refused(tmp_path, "embedding_every_s: 2.0", "embedding_every_s: abc")
    assert "module.yml: pipeline.elements: gate: kwargs: every_s: expected seconds" in message


class Recorder(Plugin):
    """Notes its hooks; breaks at its start where asked to."""

    def __init__(self, notes: list[str], name: str, broken: bool = False) -> None:
        self.notes, self.name, self.broken = notes, name, broken

    def on_start(self) -> None:
        if self.broken:
            raise ConfigError("no gallery")
        self.notes.append(f"{self.name} starts")

    def on_stop(self) -> None:
        self.notes.append(f"{self.name} stops")


def test_a_plugin_that_cannot_start_stops_those_that_have(tmp_path: Path) -> None:
    notes: list[str] = []
    pipeline = Pipeline(host_run(tmp_path, Sink(None)).module, {})
    pipeline.plugins[:] = [Recorder(notes, "first"), Recorder(notes, "second", broken=True)]
    with pytest.raises(ConfigError, match="no gallery"):
        next(pipeline.run([]))
    assert notes == ["first starts", "first stops"]


def test_an_error_of_a_stage_ends_the_run_though_a_camera_is_silent(tmp_path: Path) -> None:
    """The thread that works ahead waits for the camera's next frame, which never comes."""
    sink = Sink(None)
    error = error_of(host_run(tmp_path, sink, cameras="{roof: {}}"))
    assert "site.yml: cameras: expected door among them" in str(error)
    assert sink.closed == 1


def test_an_error_of_a_sink_leaves_no_thread_behind(tmp_path: Path) -> None:
    sink = Sink(OutputError("the disk is full"))
    error = error_of(host_run(tmp_path, sink))
    assert isinstance(error, SavantReidError)
    assert "the disk is full" in str(error)
    assert sink.closed == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_a_model_that_the_site_does_not_accept_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    prepared: list[bool] = []
    names: list[str] = []

    def refuse(model: str) -> None:
        names.append(model)
        raise ConfigError("another model")

    run = replace(host_run(tmp_path, Sink(None)), accept=refuse, prepare=lambda: prepared.append(True))
    assert str(error_of(run)) == "another model"
    assert "sha256:" in names[0]
    assert not prepared
