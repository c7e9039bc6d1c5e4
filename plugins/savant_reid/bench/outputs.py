"""How long a decision is on its way: from an embedding in hand to a message in another process's hand."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from savant_reid.bench.outputs_load import WARM_UP, Load, moments, warm_up
from savant_reid.identity.policy import Policy
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.topology import Topology
from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_producer import kafka_bindings
from savant_reid.sinks.kafka_settings import KafkaSettings
from savant_reid.sinks.zeromq import ZeroMqSink

Figure = dict[str, Any]
Key = tuple[str, int]
TOPIC = KafkaSettings().frames_topic


@dataclass
class Stamps:
    """By frame, nanoseconds of the monotonic clock. due: the frame arrived. embedded: its embeddings were in hand.
    handed: to the sink."""

    due: dict[Key, int] = field(default_factory=dict)
    embedded: dict[Key, int] = field(default_factory=dict)
    handed: dict[Key, int] = field(default_factory=dict)


def measure(load: Load) -> list[Figure]:
    """A figure each for Kafka and ZeroMQ. Raises SavantReidError where confluent-kafka or pyzmq is missing."""
    kafka_bindings()
    with ExitStack() as stack:
        broker = stack.enter_context(_Peer("broker"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = FrameLines("bench")
        kafka = _through(load, KafkaSink(broker.said, lines, folder / "spool"), ("kafka", broker.said, TOPIC))
        zeromq_sink = ZeroMqSink("tcp://127.0.0.1:*", lines)
        zeromq = _through(load, zeromq_sink, ("zmq", zeromq_sink.address.removeprefix("pub+bind:")))
        naive_broker = stack.enter_context(_Peer("broker"))
        naive = _through(load, NaiveSink(naive_broker.said), ("kafka", naive_broker.said, TOPIC))
    return [
        _figure("Kafka", load, kafka, {"a producer that waits for each frame's answer": naive}),
        _figure("ZeroMQ", load, zeromq, {}),
    ]


class NaiveSink:
    """What one writes first: JSON, produce, flush; nothing is lost as long as the broker is there."""

    def __init__(self, brokers: str) -> None:
        from confluent_kafka import Producer

        self._lines = FrameLines("bench")
        self._producer = Producer({"bootstrap.servers": brokers, "acks": "all", "log_level": 2})

    def write_frame(self, record: FrameRecord) -> None:
        self._producer.produce(TOPIC, self._lines.line(record).encode(), key=record.sightings.camera)
        self._producer.flush()

    def write_events(self, events: Sequence[Any]) -> None:
        """Frames alone are compared."""

    def close(self) -> None:
        self._producer.flush()


def _through(load: Load, sink: Any, listener: tuple[str, ...]) -> tuple[Stamps, dict[Key, int]]:
    """Sends the load; (when each frame was where, when the listener had it)."""
    with closing(sink), _Peer(*listener, wait=False) as peer:
        peer.until_ready(lambda number: sink.write_frame(warm_up(number)))
        stamps = _send(load, sink)
        time.sleep(1.0)
        came = {(camera, frame): at for camera, frame, at in peer.result() if camera != WARM_UP}
    return stamps, came


def _send(load: Load, sink: Any) -> Stamps:
    resolver = Resolver(Topology(tuple(f"camera-{number:02}" for number in range(load.cameras))), Policy())
    stamps = Stamps()
    begin = time.monotonic_ns() + 100_000_000
    for number, batch in enumerate(moments(load)):
        due = begin + int(number / load.frames_per_second * 1e9)
        while load.paced and (early := due - time.monotonic_ns()) > 0:
            time.sleep(early * 1e-9)
        embedded = time.monotonic_ns()
        decisions = resolver.resolve(batch)
        sink.write_events(resolver.take_events())
        start = 0
        for seen in batch:
            key = seen.camera, number
            sink.write_frame(FrameRecord(number, seen, decisions[start : start + len(seen)]))
            start += len(seen)
            stamps.due[key], stamps.embedded[key] = (due if load.paced else embedded), embedded
            stamps.handed[key] = time.monotonic_ns()
    return stamps


class _Peer:
    """A process of outputs_peer. said: its first line."""

    def __init__(self, *arguments: str, wait: bool = True) -> None:
        command = [sys.executable, "-m", "savant_reid.bench.outputs_peer", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self._line() if wait else ""

    def __enter__(self) -> _Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def until_ready(self, knock: Callable[[int], None]) -> None:
        """Knocks until it has heard something."""
        heard = threading.Thread(target=self._line, daemon=True)
        heard.start()
        number = 0
        while heard.is_alive() and number < 600:
            knock(number)
            number += 1
            heard.join(0.1)

    def result(self) -> Any:
        output, _ = self._process.communicate(timeout=60)
        return json.loads(output)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _figure(
    name: str, load: Load, found: tuple[Stamps, dict[Key, int]], baselines: Mapping[str, tuple[Stamps, dict[Key, int]]]
) -> Figure:
    stamps, came = found
    received = percentiles(stamps.embedded, came)
    pace = "in real time" if load.paced else "at full speed"
    rate = f"{load.cameras} cameras x {load.frames_per_second:g} frames/s x {load.people} people"
    figure: Figure = {
        "what": f"embedding in hand to {name}'s reader in another process, {rate}, {pace}",
        "value": received[0],
        "unit": "ms in the median",
        "p99_ms": received[1],
        "handed_over_ms": percentiles(stamps.embedded, stamps.handed),
        "frames": len(stamps.handed),
        "frames_per_second": _rate(stamps),
        "missing": len(stamps.handed) - len(came),
        "baseline": {what: percentiles(one.embedded, at)[0] for what, (one, at) in baselines.items()},
        "baseline_p99_ms": {what: percentiles(one.embedded, at)[1] for what, (one, at) in baselines.items()},
        "baseline_handed_over_ms": {
            what: percentiles(one.embedded, one.handed) for what, (one, _) in baselines.items()
        },
        "baseline_frames_per_second": {what: _rate(one) for what, (one, _) in baselines.items()},
    }
    if load.paced:
        figure["from_arrival_ms"] = percentiles(stamps.due, came)
    return figure


def _rate(stamps: Stamps) -> float:
    """Frames a second."""
    return len(stamps.handed) / ((max(stamps.handed.values()) - min(stamps.embedded.values())) * 1e-9)


def percentiles(begin: Mapping[Key, int], end: Mapping[Key, int]) -> list[float]:
    """[median, 99 of 100] of the milliseconds of those that have both."""
    took = np.array([at - begin[key] for key, at in end.items() if key in begin], np.float64) * 1e-6
    return [round(float(value), 2) for value in np.percentile(took, (50, 99))] if len(took) else [float("nan")] * 2


def as_text(figure: Figure) -> str:
    """A few lines of a figure of measure()."""
    lines = [
        f"{figure['what']}: {figure['value']:.1f} ms in the median, {figure['p99_ms']:.1f} in 99 of 100",
        "  until it was handed over: {:.1f} and {:.1f} ms".format(*figure["handed_over_ms"]),
    ]
    if "from_arrival_ms" in figure:
        lines.append(
            "  from the frame's arrival at the identity stage: {:.1f} and {:.1f} ms".format(*figure["from_arrival_ms"])
        )
    for what, value in figure["baseline"].items():
        handed = figure["baseline_handed_over_ms"][what]
        lines.append(
            f"  baseline, {what}: {value:.1f} and {figure['baseline_p99_ms'][what]:.1f} ms; until it was handed over: "
            f"{handed[0]:.1f} and {handed[1]:.1f} ms; {figure['baseline_frames_per_second'][what]:.0f} frames a second"
        )
    lines.append(
        f"  {figure['frames']} frames, {figure['missing']} missing, {figure['frames_per_second']:.0f} a second"
    )
    return "\n".join(lines)
