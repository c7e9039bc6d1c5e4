"""Where Kafka is and how it is spoken to: `--kafka BROKERS`, and what a file given by `--kafka-config` changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from savant_reid.errors import ConfigError
from savant_reid.sinks.settings_file import read_settings

# What keeps messages from being lost, doubled or put out of order is not for a file to change; nor are the brokers.
_KEPT = {
    "acks": "all",
    "enable.idempotence": True,
    # librdkafka gives a message up after 300 s else, and with it all of an outage that is longer.
    "message.timeout.ms": 0,
}
_OTHER_NAMES = {"request.required.acks", "delivery.timeout.ms", "bootstrap.servers", "metadata.broker.list"}
_OURS = {"queue.buffering.max.messages", "queue.buffering.max.kbytes", "message.max.bytes", "transactional.id"}
_BROKER = re.compile(r"[^\s,/]+:(\d{1,5})")
_HIGHEST_PORT = 65535
# Waits in memory for an answer of the broker, by topic; what is more waits on disk.
IN_FLIGHT_BYTES = 16 << 20
IN_FLIGHT_MESSAGES = 20_000

TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


class KafkaSettings(BaseModel):
    """librdkafka: its properties, as its documents name them (`security.protocol`, `sasl.password` …).

    encoding: of the messages; see protobuf_messages. spool: folder of what waits for the broker; by default
    kafka-spool in the run's folder; a relative one is found from the settings' folder. spool_megabytes: the most that
    frames may take there; events are never dropped. longest_message_bytes: must not be above what the broker takes
    (`message.max.bytes` there). close_seconds: how long the end of a run waits for the broker.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    encoding: Literal["json", "protobuf"] = "json"
    frames_topic: TopicName = "savant-reid.frames"
    events_topic: TopicName = "savant-reid.identities"
    spool: Path | None = None
    spool_megabytes: Annotated[int, Field(ge=32, le=10_000_000)] = 4096
    longest_message_bytes: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 1_000_000
    close_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    librdkafka: dict[str, str | int | float | bool] = {}

    def properties(self, brokers: str) -> dict[str, Any]:
        """The producer's configuration."""
        return {
            "linger.ms": 5,
            "compression.type": "lz4",
            "client.id": "savant-reid",
            # What matters of the connection is logged by the sink, once and not in every attempt.
            "log_level": 2,
            **self.librdkafka,
            **_KEPT,
            "bootstrap.servers": brokers,
            "message.max.bytes": self.longest_message_bytes + 1000,  # with the headers
            "queue.buffering.max.messages": 3 * IN_FLIGHT_MESSAGES,
            "queue.buffering.max.kbytes": 3 * (IN_FLIGHT_BYTES >> 10) + (self.longest_message_bytes >> 10),
        }


def check_brokers(brokers: str) -> None:
    """Raises ConfigError where it is not HOST:PORT[,HOST:PORT…]."""
    for broker in brokers.split(","):
        found = _BROKER.fullmatch(broker)
        if not found:
            raise ConfigError(f"Kafka brokers: expected HOST:PORT[,HOST:PORT…], found {brokers!r}")
        if not 1 <= int(found[1]) <= _HIGHEST_PORT:
            raise ConfigError(f"Kafka brokers: expected a port from 1 to {_HIGHEST_PORT}, found {broker!r}")


def load_kafka_settings(path: Path) -> KafkaSettings:
    """A YAML file with any of the keys of KafkaSettings. Raises ConfigError naming file, key and what is wrong."""
    settings = read_settings(path, KafkaSettings)
    kept = sorted(set(settings.librdkafka) & (set(_KEPT) | _OTHER_NAMES | _OURS))
    if kept:
        raise ConfigError(
            f"{path}: librdkafka: expected no {', '.join(kept)}: the sink sets them, so that nothing is lost"
        )
    return settings.model_copy(update={"spool": settings.spool and path.parent / settings.spool})
