"""What docs/metadata.md says of ZeroMQ's costs, with room for slower machines."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
from sink_records import frame

from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.savant import SavantSink
from savant_reid.sinks.zeromq import ZeroMqSink

pytestmark = pytest.mark.slow

SECONDS, FRAMES_A_SECOND = 3, 1200
# Counts messages until nothing has come for a second; on ROUTER it answers for the end of a stream, as Savant does.
COUNTER = """
import sys, zmq
kind, endpoint = sys.argv[1:]
reader = zmq.Context().socket(getattr(zmq, kind))
reader.setsockopt(zmq.RCVHWM, 0)
if kind == "SUB":
    reader.subscribe("")
    reader.connect(endpoint)
else:
    reader.bind(endpoint)
print("ready", flush=True)
count = 0
while reader.poll(1000 if count else 20_000):
    parts = reader.recv_multipart()
    if len(parts[-1]) > 200:
        count += 1
        if count == 1:
            print("heard", flush=True)
    elif kind == "ROUTER":
        reader.send_multipart([parts[0], b"OK"])
print(count, flush=True)
"""


def json_sink(address: str) -> ZeroMqSink:
    return ZeroMqSink(f"pub+bind:{address}", FrameLines("s"))


def savant_sink(address: str) -> SavantSink:
    pytest.importorskip("savant_rs")
    return SavantSink(f"dealer+connect:{address}", "s")


def write_for_seconds(sink: ZeroMqSink | SavantSink, record: FrameRecord) -> tuple[int, float, list[float]]:
    """Returns frames written, the process' CPU seconds, and seconds of each call in order of length."""
    begin, cpu_begin, calls = time.perf_counter(), time.process_time(), []
    while (elapsed := time.perf_counter() - begin) < SECONDS:
        while len(calls) < elapsed * FRAMES_A_SECOND:
            called = time.perf_counter()
            sink.write_frame(replace(record, frame=len(calls)))
            calls.append(time.perf_counter() - called)
        time.sleep(0.002)
    return len(calls), time.process_time() - cpu_begin, sorted(calls)


@pytest.mark.parametrize(("open_sink", "kind"), [(json_sink, "SUB"), (savant_sink, "ROUTER")], ids=["JSON", "Savant"])
def test_12000_sightings_a_second_on_a_part_of_one_core(open_sink: Callable, kind, tmp_path: Path):
    address = f"ipc://{tmp_path}/out.ipc"
    sink = open_sink(address)
    record = frame(0, dict.fromkeys(range(10), 5))
    command = [sys.executable, "-c", COUNTER, kind, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        greetings = greet(sink, record, reader.stdout) if kind == "SUB" else 0
        count, cpu, calls = write_for_seconds(sink, record)
        sink.close()
        heard = int(reader.stdout.read().split()[-1])
    told = sink.metrics()
    print(f"{cpu / count * 1e6:.0f} us of CPU a frame, call {calls[count // 2] * 1e6:.0f} us, ", end="")
    print(f"99 of 100 {calls[-count // 100] * 1e6:.0f} us, {told}")
    assert count + (kind == "SUB") <= heard <= count + greetings  # the last greeting was heard, others may have been
    assert (told["frames"], told["overruns"], told["refused"]) == (count + greetings, 0, 0)
    assert told.get("dropped", 0) == 0
    assert count * 10 >= 11_900 * SECONDS
    assert cpu / SECONDS < 0.5


def greet(sink: ZeroMqSink, record: FrameRecord, said) -> int:
    """Until the subscriber has heard. Returns how many were written; it has heard the last, and maybe others."""
    poller = zmq.Poller()
    poller.register(said.fileno(), zmq.POLLIN)
    for count in range(1, 500):
        sink.write_frame(record)
        if poller.poll(40):
            return count
    raise AssertionError("nobody listens")
