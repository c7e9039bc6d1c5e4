"""Options of the command line for outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savant_reid.option_partners import expect_partner

if TYPE_CHECKING:
    from savant_reid.sinks.outputs import Outputs

# What means nothing without them.
_PARTNERS = {"--savant-zmq": ["--savant-protocol"], "--kafka": ["--kafka-config"], "--mqtt": ["--mqtt-config"]}
_FILE = click.Path(path_type=Path)
_OPTIONS = (
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
_NAMES = ("zmq", "savant_zmq", "savant_protocol", "kafka", "kafka_config", "mqtt", "mqtt_config")


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that reach the command as one argument, `outputs`: a function that makes the Outputs asked for."""

    @functools.wraps(command)
    def packed(*args: Any, **options: Any) -> Any:
        asked = {name: options.pop(name) for name in _NAMES}
        for partner, names in _PARTNERS.items():
            if asked[partner.removeprefix("--").replace("-", "_")] is None:
                expect_partner(partner, *names)
        return command(*args, outputs=functools.partial(_outputs, asked), **options)

    for option in reversed(_OPTIONS):
        packed = option(packed)
    return packed


def _outputs(asked: dict[str, Any]) -> Outputs:
    # Here, as what it imports is not installed everywhere.
    from savant_reid.sinks.outputs import Outputs

    return Outputs(**asked)
