"""Addresses, settings and passwords for MQTT."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from savant_reid.errors import ConfigError
from savant_reid.sinks.mqtt_settings import (
    PASSWORD_VARIABLE,
    Broker,
    MqttSettings,
    load_mqtt_settings,
    parse_address,
    password_of,
)

PAGE = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
SECRET = "hunter2"


@pytest.mark.parametrize(
    ("address", "broker", "shown"),
    [
        ("mqtt://broker/shop", Broker(False, "broker", 1883, "shop"), "mqtt://broker:1883/shop"),
        ("mqtts://broker/a/b/", Broker(True, "broker", 8883, "a/b"), "mqtts://broker:8883/a/b"),
        ("mqtt://[::1]:1/x", Broker(False, "::1", 1, "x"), "mqtt://[::1]:1/x"),
        ("mqtt://ada%40home@b/x%20y", Broker(False, "b", 1883, "x y", "ada@home"), "mqtt://b:1883/x y"),
    ],
)
def test_addresses(address, broker, shown):
    found = parse_address(address)
    assert (found, found.shown) == (broker, shown)
    assert "ada" not in repr(found)


@pytest.mark.parametrize(
    "address",
    [
        *("", "broker", "broker:1883/shop", "http://broker/shop", "mqtt:///shop", "mqtt://broker", "mqtt://broker/"),
        *("mqtt://broker:0/x", "mqtt://broker:99999/x", "mqtt://broker:port/x", "mqtt://[::1/x", "mqtt://a b/x"),
        *("mqtt://broker/a+b", "mqtt://broker/a//b", "mqtt://broker/$SYS", "mqtt://broker/x#y", "mqtt://broker/x?y=1"),
        *("mqtt://broker/a%00b", "mqtt://broker/a%23b", f"mqtt://broker/{'x' * 201}", f"mqtt://broker/{'x' * 129}"),
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(ConfigError, match=re.escape("MQTT address: expected")):
        parse_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(f"mqtt://ada:{SECRET}@broker/x", f"mqtt:/ada:{SECRET}@broker/x", f"ada:{SECRET}@broker/x"),
        *(f"mqtt://ada:1/{SECRET}@broker/x", f"mqtt://ada:#{SECRET}@broker/x", f"mqtt://ada:1?{SECRET}@broker/x"),
        *(f"mqtt://ada:{SECRET}@broker:port/x", f"mqtt://ada:{SECRET}@[::1/x"),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(address):
    with pytest.raises(ConfigError) as refused:
        parse_address(address)
    assert SECRET not in str(refused.value)


def test_passwords_come_from_the_environment_or_a_file(tmp_path):
    broker = parse_address("mqtt://ada@broker/x")
    environment = {PASSWORD_VARIABLE: SECRET}
    assert password_of(broker, MqttSettings(), {}) is None
    assert password_of(broker, MqttSettings(), environment) == SECRET
    (tmp_path / "secret").write_bytes(b"from the file\r\nnot this\n")
    (tmp_path / "mqtt.yml").write_text("password_file: secret\n")
    assert password_of(broker, load_mqtt_settings(tmp_path / "mqtt.yml"), environment) == "from the file"


def test_passwords_that_cannot_be_used(tmp_path):
    with pytest.raises(ConfigError, match="expected a user for the password") as refused:
        password_of(parse_address("mqtt://broker/x"), MqttSettings(), {PASSWORD_VARIABLE: SECRET})
    assert SECRET not in str(refused.value)
    with pytest.raises(ConfigError, match="expected a file of UTF-8 text"):
        password_of(parse_address("mqtt://a@broker/x"), MqttSettings(password_file=tmp_path / "none"), {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("queue_megabytes: 0", "queue_megabytes: Input should be greater than or equal to 1"),
        ("colour: red", "colour: unknown key; known: frames, queue_megabytes, "),
        ("frame: true", "frame: unknown key; did you mean frames?"),
        ("client_id: 'a b'", "client_id: String should match pattern"),
        ("a: [", "expected YAML, found: "),
        ("- 1", "expected keys such as frames: …, found list"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, text, why):
    file = tmp_path / "mqtt.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(why)) as refused:
        load_mqtt_settings(file)
    assert str(file) in str(refused.value)


def test_the_settings_on_the_page_are_the_defaults(tmp_path):
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "mqtt.yml"
    file.write_text(example)
    assert load_mqtt_settings(file) == MqttSettings()
    assert set(yaml.safe_load(example)) == set(MqttSettings.model_fields)


def test_an_empty_file_changes_nothing(tmp_path):
    (tmp_path / "mqtt.yml").write_text("")
    assert load_mqtt_settings(tmp_path / "mqtt.yml") == MqttSettings()
