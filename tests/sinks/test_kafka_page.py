"""What docs/metadata.md says of Kafka's settings is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from savant_reid.sinks.kafka_settings import KafkaSettings, load_kafka_settings

PAGE = (Path(__file__).parents[2] / "docs" / "metadata.md").read_text(encoding="utf-8")


def test_the_settings_on_the_page_are_the_defaults(tmp_path):
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "kafka.yml"
    file.write_text(example)
    shown = load_kafka_settings(file)
    assert shown.model_copy(update={"librdkafka": {}}) == KafkaSettings()
    assert set(yaml.safe_load(example)) == set(KafkaSettings.model_fields)


def test_topics_are_on_the_page():
    for topic in (KafkaSettings().frames_topic, KafkaSettings().events_topic):
        assert f"| `{topic}` |" in PAGE
