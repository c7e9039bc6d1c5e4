"""`savant-reid run --mqtt`: what a user starts."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from mqtt_broker import Subscriber, broker_running, needs_mosquitto
from tests.waiting import until

from savant_reid.cli import main
from savant_reid.sinks.mqtt_settings import PASSWORD_VARIABLE

MODULE = Path(__file__).parents[2] / "module" / "module.yml"
SECRET = "hunter2-in-the-clear"


def invoke(*args: str):
    return CliRunner().invoke(main, ["run", str(MODULE), *args])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@needs_mosquitto
def test_metadata_over_mqtt_is_what_the_files_hold(site, tmp_path, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    config = tmp_path / "mqtt.yml"
    config.write_text("frames: true\n")
    out = tmp_path / "out"
    with broker_running(tmp_path) as broker:
        subscriber = Subscriber(broker.port, "a/shop/#")
        address = f"mqtt://reid@127.0.0.1:{broker.port}/a/shop"
        result = invoke(
            "--site", str(site), "--out", str(out), "--mqtt", address, "--mqtt-config", str(config), "--json"
        )
        assert result.exit_code == 0, result.output
        until(lambda: subscriber.statuses() == [b"online", b"offline"])
        subscriber.close()
    told = json.loads(result.stdout)["mqtt"]
    events = lines(out / "identities.jsonl")
    heard = [message["Data"] for _, message in subscriber.messages("/onvif-ej/")]
    assert [(one["reid:Sequence"], one["reid:GlobalId"]) for one in heard] == [
        (one["sequence"], one["global_id"]) for one in events
    ]
    frames = lines(out / "frames.jsonl")
    said = {one["Frame"][0]["@reid:Id"]: one["Frame"][0] for _, one in subscriber.messages("/onvif-mj/")}
    assert set(said) == {f"{told['run']}/frame/{one['camera']}/{one['frame']}" for one in frames}
    for one in frames:
        people = said[f"{told['run']}/frame/{one['camera']}/{one['frame']}"].get("Object", [])
        assert [(each["@ObjectId"], each.get("@reid:GlobalId", -1)) for each in people] == [
            (each["track_id"], each["reid"]["global_id"]) for each in one["objects"]
        ]
    assert told["frames"] == {"delivered": len(frames), "waiting": 0, "refused": 0, "dropped": 0}
    assert told["events"]["delivered"] == len(events)
    assert told["address"] == f"mqtt://127.0.0.1:{broker.port}/a/shop"
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in text for text in [*written, result.output.encode(), broker.log.read_bytes()])


def test_a_run_goes_on_without_a_broker_and_says_what_was_lost(site, tmp_path):
    config = tmp_path / "mqtt.yml"
    config.write_text("frames: true\nclose_seconds: 0\n")
    out = tmp_path / "out"
    result = invoke(
        *("--site", str(site), "--out", str(out), "--mqtt", "mqtt://127.0.0.1:1/shop", "--mqtt-config", str(config)),
        "--json",
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["mqtt"]
    assert told["frames"] == {"delivered": 0, "waiting": 0, "refused": 0, "dropped": 100}
    assert told["events"]["dropped"] == len(lines(out / "identities.jsonl"))


def test_a_run_that_cannot_start_leaves_nothing(tmp_path):
    out = tmp_path / "out"
    refused = invoke("--source", "a=/no/such/video.mp4", "--out", str(out), "--mqtt", f"mqtt://a:{SECRET}@b/shop")
    assert refused.exit_code == 1
    assert "found a password, which every process list shows" in refused.output
    assert SECRET not in refused.output
    assert not list(out.rglob("*"))
