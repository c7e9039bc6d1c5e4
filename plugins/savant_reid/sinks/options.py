"""Options of the command line for outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from savant_reid.option_groups import as_one, expect_partner

if TYPE_CHECKING:
    from savant_reid.sinks.outputs import Outputs


def _outputs(
    zmq: str | None,
    savant_zmq: str | None,
    savant_protocol: str | None,
    kafka: str | None,
    kafka_config: Path | None,
    mqtt: str | None,
    mqtt_config: Path | None,
) -> Outputs:
    # Here, as what it imports is not installed everywhere.
    from savant_reid.sinks.outputs import Outputs

    if savant_zmq is None:
        expect_partner("--savant-zmq", "--savant-protocol")
    if kafka is None:
        expect_partner("--kafka", "--kafka-config")
    if mqtt is None:
        expect_partner("--mqtt", "--mqtt-config")
    return Outputs(
        zmq=zmq,
        savant_zmq=savant_zmq,
        savant_protocol=savant_protocol,
        kafka=kafka,
        kafka_config=kafka_config,
        mqtt=mqtt,
        mqtt_config=mqtt_config,
    )


_FILE = click.Path(path_type=Path)
# Reach the command as `outputs`.
output_options = as_one(
    "outputs",
    _outputs,
    click.option(
        "--zmq", metavar="ADDRESS", help="Publish metadata as JSON over ZeroMQ: tcp://HOST:PORT or ipc://PATH."
    ),
    click.option(
        "--savant-zmq", metavar="ADDRESS", help="Send metadata in Savant's protocol: pub+bind:tcp://HOST:PORT …"
    ),
    click.option("--savant-protocol", metavar="VERSION", help="The protocol's version that Savant's readers expect."),
    click.option("--kafka", metavar="BROKERS", help="Send metadata to Kafka: HOST:PORT[,HOST:PORT…]."),
    click.option("--kafka-config", type=_FILE, help="YAML: topics, spool, librdkafka's properties."),
    click.option(
        "--mqtt",
        metavar="ADDRESS",
        help="Publish identity events over MQTT in ONVIF's words: mqtt[s]://[USER@]HOST[:PORT]/PREFIX.",
    ),
    click.option("--mqtt-config", type=_FILE, help="YAML: frames too, password file, certificates."),
)
