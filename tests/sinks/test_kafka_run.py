"""`savant-reid run --kafka`: what a user starts."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from kafka_wire import Reader, broker_running

from savant_reid.cli import main

MODULE = Path(__file__).parents[2] / "module" / "module.yml"


def invoke(*args: str):
    return CliRunner().invoke(main, ["run", str(MODULE), *args])


def test_metadata_to_kafka_is_what_the_files_hold(site, tmp_path):
    config = tmp_path / "kafka.yml"
    config.write_text("frames_topic: shop.frames\nevents_topic: shop.people\n")
    out = tmp_path / "out"
    with broker_running() as broker:
        kafka = ("--kafka", broker.address, "--kafka-config", str(config))
        result = invoke("--site", str(site), "--out", str(out), *kafka, "--json")
        assert result.exit_code == 0, result.output
        written = {
            "shop.frames": (out / "frames.jsonl").read_text().splitlines(),
            "shop.people": (out / "identities.jsonl").read_text().splitlines(),
        }
        reader = Reader(broker.address, *written)
        reader.until(lambda: len(reader.heard) >= sum(map(len, written.values())))
        reader.close()
    for topic, lines in written.items():
        assert sorted(one.value().decode() for one in reader.heard if one.topic() == topic) == sorted(lines)
    told = json.loads(result.stdout)["kafka"]
    assert [told[name]["delivered"] for name in ("frames", "events")] == [len(lines) for lines in written.values()]
    assert all(one.startswith(told["run"] + "/") for one in reader.ids())
    assert not (out / "kafka-spool").exists()


def test_a_run_goes_on_without_a_broker_and_says_what_waits(site, tmp_path):
    config = tmp_path / "kafka.yml"
    config.write_text(f"close_seconds: 0\nspool: {tmp_path / 'waits'}\n")
    result = invoke(
        "--site",
        str(site),
        "--out",
        str(tmp_path / "out"),
        "--kafka",
        "127.0.0.1:1",
        "--kafka-config",
        str(config),
        "--json",
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["kafka"]
    assert told["frames"] == {"delivered": 0, "waiting": 100, "refused": 0, "dropped": 0}
    assert {path.name for path in (tmp_path / "waits").iterdir()} >= {"frames.sqlite", "events.sqlite", "lock"}


def test_a_run_that_cannot_start_leaves_nothing(tmp_path):
    out = tmp_path / "out"
    result = invoke("--source", "a=/no/such/video.mp4", "--out", str(out), "--kafka", "127.0.0.1:1")
    assert "/no/such/video.mp4 does not exist" in result.output
    assert not list(out.rglob("*"))
    refused = invoke("--source", "a=/no/such/video.mp4", "--out", str(out), "--kafka", "localhost")
    assert "Kafka brokers: expected HOST:PORT[,HOST:PORT…], found 'localhost'" in refused.output
