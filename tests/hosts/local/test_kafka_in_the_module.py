"""The module's own brokers are for Savant's host; here they are refused, not passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.module_config import load_module
from savant_reid.hosts.local.pipeline import Pipeline

MODULE = Path(__file__).parents[3] / "module" / "module.yml"


def test_brokers_of_the_environment_are_refused_with_what_to_do(monkeypatch):
    monkeypatch.setenv("SAVANT_REID_KAFKA", "kafka:9092")
    with pytest.raises(ConfigError, match=r"identify: kafka: expected none .*run --kafka.*found kafka:9092"):
        Pipeline(load_module(MODULE, {}), {})


def test_an_empty_variable_as_compose_passes_it_is_none(monkeypatch):
    monkeypatch.setenv("SAVANT_REID_KAFKA", "")
    monkeypatch.setenv("SAVANT_REID_KAFKA_CONFIG", "")
    assert [plugin.kafka for plugin in Pipeline(load_module(MODULE, {}), {}).plugins] == [None, None]
