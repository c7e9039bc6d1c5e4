"""Where a run's frames and events go besides its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import SPOOL_FOLDER, KafkaSink
from savant_reid.sinks.kafka_settings import load_kafka_settings
from savant_reid.sinks.mqtt import MqttSink
from savant_reid.sinks.mqtt_settings import load_mqtt_settings
from savant_reid.sinks.run_name import new_run_name
from savant_reid.sinks.savant import SavantSink
from savant_reid.sinks.zeromq import ZeroMqSink

# As metrics.json names them.
OUTPUTS = ("zeromq", "savant", "kafka", "mqtt")


@dataclass(frozen=True)
class Outputs:
    """What is None is not there.

    zmq: address for JSON, see ZeroMqSink. savant_zmq: address for Savant's protocol, see SavantSink; savant_protocol:
    the version it announces. kafka: brokers, see KafkaSink; kafka_config: file of its settings. mqtt: address of a
    broker for ONVIF's words, see MqttSink; mqtt_config: file of its settings.
    """

    zmq: str | None = None
    savant_zmq: str | None = None
    savant_protocol: str | None = None
    kafka: str | None = None
    kafka_config: Path | None = None
    mqtt: str | None = None
    mqtt_config: Path | None = None

    def open(
        self, lines: FrameLines, folder: Path, frame_rate: Callable[[str], float]
    ) -> Iterator[tuple[str, ZeroMqSink | SavantSink | KafkaSink | MqttSink]]:
        """Sinks by their names (OUTPUTS), each opened as it is asked for.

        lines: makes the text of frames, and names the site. folder: the run's. frame_rate: frames/s of a camera.
        Raises what the sinks raise: OutputError or ConfigError for what cannot be used.
        """
        run = new_run_name()
        if self.zmq:
            yield "zeromq", ZeroMqSink(self.zmq, lines)
        if self.savant_zmq:
            yield "savant", SavantSink(self.savant_zmq, lines.site, self.savant_protocol, frame_rate)
        if self.kafka:
            kafka_settings = load_kafka_settings(self.kafka_config) if self.kafka_config else None
            yield "kafka", KafkaSink(self.kafka, lines, folder / SPOOL_FOLDER, kafka_settings, run)
        if self.mqtt:
            mqtt_settings = load_mqtt_settings(self.mqtt_config) if self.mqtt_config else None
            yield "mqtt", MqttSink(self.mqtt, lines.site, mqtt_settings, run)
