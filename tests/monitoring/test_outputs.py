"""Figures of the outputs: those that exist, and those of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from savant_reid.monitoring.health import Health
from savant_reid.monitoring.meters import Meters
from savant_reid.monitoring.monitor import MOST_FIGURES, MeteringMonitor
from savant_reid.sinks.folder_sink import FolderSink
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import FIGURES, KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings


class Output:
    """A sink that has figures, and nothing else of a sink."""

    def __init__(self, found: object) -> None:
        self.found = found

    def figures(self) -> Mapping[str, float]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found  # type: ignore[return-value]


def shown(*outputs: object) -> dict[tuple[str, ...], float]:
    meters = Meters()
    monitor = MeteringMonitor(meters, Health())
    monitor.begin([], {}, [FolderSink(outputs)], {})  # type: ignore[arg-type]
    monitor.refresh()
    monitor.refresh()
    return meters.values("reid_sink_figure")


def test_figures_of_a_sink_within_others_are_shown_under_its_name():
    named = Output({"depth": 3})
    named.name = "mine"  # type: ignore[attr-defined]
    assert shown(named, SimpleNamespace(), Output({"depth": 4})) == {("mine", "depth"): 3, ("Output", "depth"): 4}


def test_an_output_that_breaks_hides_no_other(caplog: pytest.LogCaptureFixture):
    broken = Output(OSError("the disk is gone"))
    broken.name = "broken"  # type: ignore[attr-defined]
    assert shown(broken, Output({"depth": 1})) == {("Output", "depth"): 1}
    assert caplog.messages == ["output broken: its figures cannot be read: the disk is gone"], "said once"


@pytest.mark.parametrize("figures", [{"depth": "many"}, None, {"depth": object()}])
def test_what_is_no_number_is_left_out(figures: object):
    assert shown(Output(figures)) == {}


def test_names_are_plain_and_few():
    wild = {"Name with blanks": 1, "depth_7": 2, "x" * 65: 3, "ok": 4}
    assert shown(Output(wild)) == {("Output", "depth_7"): 2, ("Output", "ok"): 4}
    assert len(shown(Output({f"depth_{number}": 1 for number in range(1000)}))) == MOST_FIGURES


def test_kafka_has_the_figures_that_alerts_ask_for(tmp_path: Path):
    sink = KafkaSink("127.0.0.1:9", FrameLines("shop"), tmp_path, KafkaSettings(close_seconds=0.0))
    try:
        assert set(sink.figures()) == set(FIGURES)
        assert ("kafka", "frames_waiting") in shown(sink)
    finally:
        sink.close()
