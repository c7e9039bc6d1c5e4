"""Savant's protocol without anybody who reads: what a message holds, what is bounded, and what is refused."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from sink_records import event, frame

from savant_reid.errors import ConfigError, OutputError, SavantReidError
from savant_reid.sinks import savant
from savant_reid.sinks.savant import FIGURES, SavantSink
from savant_reid.sinks.savant_messages import SavantMessages

# Python 3.13 and later have no wheel of it.
load_message_from_bytes = pytest.importorskip("savant_rs.utils.serialization").load_message_from_bytes


def test_numbers_that_are_none_leave_their_object_out():
    record = frame(0, {7: 3, 8: 4, 9: 5})
    record.sightings.boxes[1, 0] = math.nan
    record.decisions[2] = replace(record.decisions[2], probability=math.inf)
    messages = SavantMessages()
    told = load_message_from_bytes(messages.frame(record, 10.0))
    assert [one.track_id for one in told.as_video_frame().get_all_objects()] == [7]
    assert messages.refused_objects == 2


def test_where_all_that_waits_carries_events_the_oldest_go_and_are_counted(open_savant):
    sink = open_savant(queue_bytes=50_000)
    for number in range(1000):
        sink.write_events([event("created", number)])
        sink.write_frame(frame(number, {7: 3}))
    found = sink.metrics()
    assert found["dropped"] == found["events_dropped"] > 800
    assert sink._queue._bytes <= 50_000


def test_events_that_no_frame_takes_are_bounded_and_counted(open_savant, monkeypatch, caplog):
    monkeypatch.setattr(savant, "MOST_EVENTS_WAITING", 10)
    sink = open_savant()
    sink.write_events([event("created", number) for number in range(25)])
    assert sink.metrics()["events_dropped"] == 15
    assert "the oldest are lost" in caplog.text


def test_many_long_events_leave_with_several_frames(monkeypatch):
    monkeypatch.setattr(savant, "_EVENTS_CHARACTERS", 1000)
    taken: list[int] = []
    sink = SavantSink.__new__(SavantSink)
    sink._events = ["x" * length for length in (400, 400, 400, 3000, 10)]
    while sink._events:
        taken.append(len(sink._next_events()))
    assert taken == [2, 1, 1, 1]


def test_figures_are_those_that_are_told(open_savant):
    sink = open_savant()
    assert tuple(sink.figures()) == FIGURES
    assert set(sink.metrics()) == {"address", "protocol", *FIGURES}


@pytest.mark.parametrize("version", ["1.8.1", "0.2.2", "1.12.2-rc.1"])
def test_the_protocol_that_is_asked_for_is_announced_and_all_else_stays(version):
    record = frame(0, {7: 3, 9: None})
    own, other = SavantMessages(), SavantMessages(version)
    assert own.protocol == "0.2.0"
    said = load_message_from_bytes(other.frame(record, 10.0))
    assert f'message version="{version}", program expects version="0.2.0"' in said.as_unknown()
    data = other.frame(record, 10.0)
    restored = b"\n\x050.2.0" + data[2 + len(version) :]
    assert load_message_from_bytes(restored).as_video_frame().source_id == "door"
    assert load_message_from_bytes(own.end("door")).is_end_of_stream()


@pytest.mark.parametrize("version", ["", "0.2.0\u0660", "1.2." + "1" * 61, "latest", "1.8"])
def test_protocols_that_are_none_are_refused(version):
    with pytest.raises(ConfigError, match=r"expected a version of up to 64 signs, as 0\.2\.0, found"):
        SavantMessages(version)


@pytest.mark.parametrize("address", ["", "5555", "router+bind:tcp://127.0.0.1:5555", "dealer+listen:tcp://h:1"])
def test_other_addresses_are_refused(open_savant, address):
    with pytest.raises(OutputError, match=r"\|dealer\+bind:\|dealer\+connect:\|.*tcp://HOST:PORT or ipc://PATH, found"):
        open_savant(address)


@pytest.mark.parametrize("address", ["dealer+bind:ipc:///no/such/folder/a.ipc", "req+connect:tcp://*:5555"])
def test_addresses_that_cannot_be_used_are_named(open_savant, address):
    with pytest.raises(OutputError, match="cannot be used"):
        open_savant(address)


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ((3, 11), r"found none; install it with: pip install 'savant-reid\[savant\]'"),
        ((3, 13), r"found none; the package index has it for Python 3\.8 to 3\.12 on Linux, and this is 3\.13"),
    ],
)
def test_without_the_package_it_says_what_to_do(open_savant, monkeypatch, version, why):
    class Version(tuple):
        major, minor = version

    monkeypatch.setitem(sys.modules, "savant_rs", None)
    monkeypatch.setattr(sys, "version_info", Version(version))
    with pytest.raises(SavantReidError, match=rf"Savant's protocol needs the package savant-rs 0\.3\.0, {why}"):
        open_savant()


def test_another_savant_rs_that_cannot_be_used_is_named(open_savant, monkeypatch):
    monkeypatch.setitem(sys.modules, "savant_rs.utils.serialization", ModuleType("other"))
    with pytest.raises(SavantReidError, match=r"needs savant-rs 0\.3\.0, found another one: .*save_message_to_bytes"):
        open_savant()
