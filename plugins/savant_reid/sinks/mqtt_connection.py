"""paho's client as the sink needs it: connected in the background again and again, with a status that outlives it."""

from __future__ import annotations

import logging
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from savant_reid.errors import ConfigError, SavantReidError
from savant_reid.sinks.mqtt_settings import Broker, MqttSettings

log = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
_RECONNECT_SECONDS = (1, 30)
_CONNECT_SECONDS = 5.0
# For the goodbye, and for paho's thread to end: it may hang in a connection that never comes to be.
_GOODBYE_SECONDS = 1.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# The sink's messages without an answer, and the status.
_SPARE_IN_FLIGHT = 10


class MqttConnection:
    """One client of one run.

    connected, connections: whether the broker has taken us, and how often it has; on_change is called, from paho's
    thread, when these have changed. acknowledged: numbers of messages that the broker has answered for, since they were
    last taken from here.
    """

    def __init__(
        self,
        broker: Broker,
        settings: MqttSettings,
        client_id: str,
        password: str | None,
        in_flight: int,
        on_change: Callable[[], None],
    ) -> None:
        """Does not wait for the broker. Raises ConfigError where the certificates cannot be used, SavantReidError where
        paho-mqtt is missing."""
        mqtt = mqtt_bindings()
        self._broker = broker
        self._on_change = on_change
        self._told: str | None = None
        self._answered = False  # to the present attempt
        self.status_topic = f"{broker.prefix}/status"
        self.connected = False
        self.connections = 0
        self.acknowledged: deque[int] = deque()
        # A client without a last session: what waits is in the sink, and paho sends again what was not answered for.
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
        client.username_pw_set(broker.user, password)
        client.will_set(self.status_topic, OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(in_flight + _SPARE_IN_FLIGHT)
        client.reconnect_delay_set(*_RECONNECT_SECONDS)
        client.connect_timeout = _CONNECT_SECONDS
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        files = (settings.ca_file, settings.certificate_file, settings.key_file)
        if broker.tls:
            _use_tls(client, files)
        elif any(files):
            raise ConfigError("MQTT: expected mqtts:// with ca_file, certificate_file or key_file, found mqtt://")
        elif password and broker.host not in _LOOPBACK:
            log.warning("MQTT: the password goes to %s without encryption; mqtts:// encrypts", broker.shown)
        client.connect_async(broker.host, broker.port, keepalive=settings.keepalive_seconds)
        client.loop_start()
        self._mqtt, self._client = mqtt, client

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Never waits. The message's number, or None where paho has no room for it now."""
        info = self._client.publish(topic, payload, qos=1)
        return None if info.rc == self._mqtt.MQTT_ERR_QUEUE_SIZE else int(info.mid)

    def close(self) -> None:
        """Says goodbye where somebody listens, and ends within some seconds in any case."""
        if self.connected:
            farewell = self._client.publish(self.status_topic, OFFLINE, qos=1, retain=True)
            until = time.monotonic() + _GOODBYE_SECONDS
            while farewell.rc == self._mqtt.MQTT_ERR_SUCCESS and self.connected and time.monotonic() < until:
                if farewell.is_published():
                    break
                time.sleep(0.01)
        self._client.on_disconnect = None
        self._client.disconnect()
        # Daemons both: who hangs for longer is left behind.
        stop = threading.Thread(target=self._client.loop_stop, name="mqtt-stop", daemon=True)
        stop.start()
        stop.join(_GOODBYE_SECONDS)

    def _on_connect(self, client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answered = True
        if reason.is_failure:
            self._tell(f"refuses us: {reason}")
            return
        client.publish(self.status_topic, ONLINE, qos=1, retain=True)
        log.log(logging.WARNING if self._told else logging.INFO, "MQTT: connected to %s", self._broker.shown)
        self._told = None
        self.connected = True
        self.connections += 1
        self._on_change()

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        self._tell(f"cannot be reached: {sys.exc_info()[1]}")  # paho calls this while it handles the error

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.connected:
            self._tell(f"is gone: {reason}")
        elif not self._answered:  # else it has been told why
            tls = "" if self._broker.tls else ", or a broker that wants TLS (mqtts://)"
            self._tell(f"gives no answer: {reason}, as another program{tls}")
        self._answered = False
        self.connected = False
        self._on_change()

    def _on_publish(self, _client: Any, _userdata: Any, number: int, _reason: Any, _properties: Any) -> None:
        self.acknowledged.append(number)

    def _tell(self, why: str) -> None:
        """Once for each reason, not for each attempt."""
        if why != self._told:
            self._told = why
            log.warning("MQTT: %s %s; it is tried again and again", self._broker.shown, why)


def mqtt_bindings() -> Any:
    try:
        import paho.mqtt.client
    except ModuleNotFoundError as error:
        raise SavantReidError(
            "MQTT needs the package paho-mqtt, found none; install it with: pip install 'savant-reid[mqtt]'"
        ) from error
    return paho.mqtt.client


def _use_tls(client: Any, files: Sequence[Path | None]) -> None:
    try:
        client.tls_set(*(file and str(file) for file in files))
    except (OSError, ValueError, ssl.SSLError) as error:
        names = ", ".join(str(file) for file in files if file)
        raise ConfigError(f"MQTT: expected certificates that can be used, found: {error} ({names})") from error
