"""What `--kafka` and `--kafka-config` take, and refuse."""

from __future__ import annotations

import sys

import pytest

from savant_reid.errors import ConfigError, OutputError, SavantReidError
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings, check_brokers, load_kafka_settings


def test_a_file_changes_what_it_names(tmp_path):
    file = tmp_path / "kafka.yml"
    file.write_text("frames_topic: shop.frames\nlibrdkafka:\n  security.protocol: SASL_SSL\n  linger.ms: 50\n")
    settings = load_kafka_settings(file)
    properties = settings.properties("a:9092,b:9092")
    assert (settings.frames_topic, settings.events_topic) == ("shop.frames", "savant-reid.identities")
    assert (properties["security.protocol"], properties["linger.ms"]) == ("SASL_SSL", 50)
    assert (properties["acks"], properties["enable.idempotence"], properties["message.timeout.ms"]) == ("all", True, 0)
    file.write_text("spool: waiting")
    assert load_kafka_settings(file).spool == tmp_path / "waiting"
    file.write_text("")
    assert load_kafka_settings(file) == KafkaSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("librdkafka: {acks: 1}", "expected no acks: the sink sets them"),
        ("librdkafka: {delivery.timeout.ms: 1000}", r"expected no delivery\.timeout\.ms"),
        ("topic: a", "topic: unknown key; known: encoding, frames_topic, "),
        ("enconding: json", r"enconding: unknown key; did you mean encoding\?"),
        ("frames_topic: a b", "frames_topic: String should match pattern"),
        ("spool_megabytes: 1", "spool_megabytes: Input should be greater than or equal to 32"),
        ("a: [", "expected YAML, found: "),
        ("librdkafka: {sasl.password: 'hunter2}", r"found unexpected end of stream \(line \d\)"),
        ("- a", "expected keys such as encoding: …, found list"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    file = tmp_path / "kafka.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_kafka_settings(file)
    assert str(file) in str(error.value)
    assert "hunter2" not in str(error.value)
    with pytest.raises(ConfigError, match="expected a YAML file that can be read"):
        load_kafka_settings(tmp_path / "none.yml")


@pytest.mark.parametrize("brokers", ["", "localhost", "a:9092,", "a:9092, b:9092", "kafka://a:9092", "a:b"])
def test_other_brokers_are_refused(brokers):
    with pytest.raises(ConfigError, match=r"expected HOST:PORT\[,HOST:PORT…\]"):
        check_brokers(brokers)


@pytest.mark.parametrize("brokers", ["a:0", "a:99999", "a:9092,b:65536"])
def test_ports_that_are_none_are_refused(brokers):
    with pytest.raises(ConfigError, match="expected a port from 1 to 65535"):
        check_brokers(brokers)


def test_a_property_that_librdkafka_does_not_know_is_named(tmp_path):
    settings = KafkaSettings(librdkafka={"no.such.thing": 1})
    with pytest.raises(OutputError, match=r"No such configuration property: \"no\.such\.thing\""):
        KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path, settings)


def test_a_spool_serves_one_run_at_a_time(tmp_path):
    sink = KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path, KafkaSettings(close_seconds=0))
    with pytest.raises(OutputError, match="expected a free one, found another run that uses it"):
        KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path)
    sink.close()
    KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path, KafkaSettings(close_seconds=0)).close()


def test_a_spool_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Kafka spool .*file: cannot be used"):
        KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path / "file")


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(SavantReidError, match=r"confluent-kafka, found none; install it with: pip install 'savant-r"):
        KafkaSink("127.0.0.1:1", FrameLines("s"), tmp_path)
