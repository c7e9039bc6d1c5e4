"""Where the MQTT broker is and how it is spoken to: `--mqtt ADDRESS`, and what a file by `--mqtt-config` changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from savant_reid.errors import ConfigError
from savant_reid.sinks.onvif import topic_level
from savant_reid.sinks.settings_file import read_settings

PASSWORD_VARIABLE = "SAVANT_REID_MQTT_PASSWORD"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FORM = "mqtt[s]://[USER@]HOST[:PORT]/PREFIX"
_LONGEST_PREFIX = 200
_HOST = re.compile(r"[^\s/?#@,]+")


@dataclass(frozen=True)
class Broker:
    """prefix: what all topics begin with, without a slash at the end; ONVIF's TopicPrefix."""

    tls: bool
    host: str
    port: int
    prefix: str
    user: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """For logs and files: without the user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.prefix}"


class MqttSettings(BaseModel):
    """frames: publish each frame's people too, not events alone. queue_megabytes: the most that waits in memory while
    the broker is away. longest_message_bytes: what is longer is refused. keepalive_seconds: a broker that says nothing
    for twice as long is taken for gone. close_seconds: how long the end of a run waits for the broker. client_id: by
    default one of its own for each run; two clients with the same one throw each other out. password_file: its first
    line is the password. ca_file: who may vouch for the broker, by default the system's; certificate_file, key_file:
    our own certificate. Relative files are found from the settings' folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    frames: bool = False
    queue_megabytes: Annotated[int, Field(ge=1, le=10_000)] = 16
    longest_message_bytes: Annotated[int, Field(ge=1000, le=200_000_000)] = 1_000_000
    keepalive_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    close_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    client_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,100}$")] | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


def parse_address(address: str) -> Broker:
    """Raises ConfigError where it is not of the form; the message never holds what may be a password."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ConfigError(f"MQTT address: expected {_FORM}, found no port from 1 to 65535 or no host") from None
    if parts.password is not None:
        raise ConfigError(
            f"MQTT address: expected {_FORM}, found a password, which every process list shows; "
            f"put it into the variable {PASSWORD_VARIABLE} or into a file (password_file of --mqtt-config)"
        )
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0 or parts.query or parts.fragment:
        # What has an @ may hold a password, wherever a mistake has put it.
        found = "another form" if "@" in address else repr(address)
        raise ConfigError(f"MQTT address: expected {_FORM}, without ? and #, found {found}")
    user = unquote(parts.username) if parts.username else None
    return Broker(parts.scheme == "mqtts", host, port or _PORTS[parts.scheme], _prefix(unquote(parts.path)), user)


def password_of(broker: Broker, settings: MqttSettings, environment: Mapping[str, str]) -> str | None:
    """From the file, else from the environment. Raises ConfigError for one that cannot be read or has no user."""
    password = environment.get(PASSWORD_VARIABLE)
    if settings.password_file is not None:
        try:
            password = settings.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"MQTT: password_file {settings.password_file}: expected a file of UTF-8 text") from None
    if password and broker.user is None:
        raise ConfigError("MQTT: expected a user for the password (mqtt://USER@HOST…), found none")
    return password or None


def load_mqtt_settings(path: Path) -> MqttSettings:
    """A YAML file with any of the keys of MqttSettings. Raises ConfigError naming file, key and what is wrong."""
    settings = read_settings(path, MqttSettings)
    files = {name: file for name, file in settings if isinstance(file, Path)}
    return settings.model_copy(update={name: path.parent / file for name, file in files.items()})


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if "@" in prefix:  # a password with a slash, most likely
        raise ConfigError(f"MQTT address: expected {_FORM} without @ in its PREFIX, found one")
    levels = prefix.split("/")
    if not prefix or prefix.startswith("$") or any(level != topic_level(level) for level in levels):
        raise ConfigError(
            f"MQTT address: expected {_FORM} with a PREFIX for all topics (words between slashes, not beginning with "
            f"$, without + and #), found {prefix!r}"
        )
    if len(prefix.encode()) > _LONGEST_PREFIX:
        raise ConfigError(f"MQTT address: expected a PREFIX of {_LONGEST_PREFIX} bytes at most, found {len(prefix)}")
    return prefix
