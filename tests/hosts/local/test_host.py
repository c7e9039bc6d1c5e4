"""How a run of the local host ends when something breaks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from savant_reid.errors import OutputError, SavantReidError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.host import HostRun, run_host
from savant_reid.hosts.local.module_config import load_module
from savant_reid.hosts.local.sources import CameraStats

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


def test_an_error_of_a_stage_ends_the_run_though_a_camera_is_silent(tmp_path: Path) -> None:
    """The thread that works ahead waits for the camera's next frame, which never comes."""
    sink = Sink(None)
    error = error_of(host_run(tmp_path, sink, cameras="{roof: {}}"))
    assert "door" in str(error)
    assert sink.closed == 1


def test_an_error_of_a_sink_leaves_no_thread_behind(tmp_path: Path) -> None:
    sink = Sink(OutputError("the disk is full"))
    error = error_of(host_run(tmp_path, sink))
    assert isinstance(error, SavantReidError)
    assert "the disk is full" in str(error)
    assert sink.closed == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
