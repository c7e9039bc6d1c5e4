"""frames.jsonl and identities.jsonl against their schemas."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from sink_records import event, frame

import savant_reid.sinks
from savant_reid.identity.types import RunnerUp
from savant_reid.sinks.frames import FramesSink
from savant_reid.sinks.identities import IdentitiesSink
from savant_reid.sinks.lines import read_json_lines

SCHEMAS = Path(savant_reid.sinks.__file__).parent / "schemas"


def validator(name):
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_frame_line_keeps_the_schema(tmp_path):
    sink = FramesSink(tmp_path, "store-12")
    sink.write_frame(frame(0, {}))
    sink.write_frame(frame(1, {7: None, 8: 3}))
    sink.write_frame(frame(2, {7: np.int64(5)}, camera='aisle "1"'))
    sink.close()
    sink.close()
    written = lines(tmp_path / "frames.jsonl")
    check = validator("frame")
    for message in written:
        check.validate(message)
    assert [len(message["objects"]) for message in written] == [0, 2, 1]
    assert written[1]["objects"][0]["reid"] == {
        "global_id": -1,
        "state": "provisional",
        "probability": 0.0,
        "runner_up": None,
        "reason": "too_little_evidence",
    }
    assert written[1]["objects"][1] == {
        "track_id": 8,
        "box": {"left": 10.12, "top": 20.0, "width": 30.0, "height": 40.0},
        "confidence": 0.9,
        "reid": {
            "global_id": 3,
            "state": "confirmed",
            "probability": 0.97,
            "runner_up": {"global_id": 4, "probability": 0.02},
            "reason": None,
        },
    }


def test_objects_that_json_cannot_say_are_left_out_and_counted(tmp_path):
    record = frame(0, {1: 1, 2: 2, 3: 3})
    record.sightings.boxes[0, 2] = np.nan
    object.__setattr__(record.decisions[1], "runner_up", RunnerUp(9, float("inf")))
    sink = FramesSink(tmp_path, "s")
    sink.write_frame(record)
    sink.close()
    (message,) = lines(tmp_path / "frames.jsonl")
    validator("frame").validate(message)
    assert [one["track_id"] for one in message["objects"]] == [3]
    assert sink.refused_objects == 2


def test_every_event_line_keeps_the_schema(tmp_path):
    sink = IdentitiesSink(tmp_path, "store-12")
    sink.write_events([event("created", 1, camera="door", track_id=np.int64(4), reason="nobody like this")])
    sink.write_events([event("merged", 2, other_id=1, evidence={"similarity": np.float32(0.5), "odd": float("nan")})])
    sink.write_events([event("expired", 1)])
    # No close: events leave at once.
    written = lines(tmp_path / "identities.jsonl")
    for message in written:
        validator("identity").validate(message)
    assert [message["sequence"] for message in written] == [0, 1, 2]
    assert written[1]["evidence"] == {"similarity": 0.5, "odd": None}
    sink.close()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("frame", {"frame": -1}),
        ("frame", {"extra": 1}),
        ("frame", {"schema": "savant-reid/frame/2"}),
        ("identity", {"kind": "merged", "other_id": None}),
        ("identity", {"evidence": {"why": "because"}}),
    ],
)
def test_the_schemas_refuse(tmp_path, name, change):
    sink = FramesSink(tmp_path, "s") if name == "frame" else IdentitiesSink(tmp_path, "s")
    sink.write_frame(frame(0, {1: 1}))
    sink.write_events([event("created", 1)])
    sink.close()
    (path,) = tmp_path.glob("*.jsonl")
    with pytest.raises(jsonschema.ValidationError):
        validator(name).validate({**lines(path)[0], **change})


def test_a_killed_run_loses_at_most_the_last_second(tmp_path):
    sink = FramesSink(tmp_path, "s")
    for number in range(100):
        sink.write_frame(frame(number, {1: 1}))
        # What a kill at this moment would leave behind.
        on_disk = lines(tmp_path / "frames.jsonl")
        assert number - len(on_disk) < 10
    sink.close()
    assert len(lines(tmp_path / "frames.jsonl")) == 100


def test_half_a_line_does_not_spoil_the_rest(tmp_path):
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b'{"frame":0}\n{"frame":1}\n{"frame":2,"obj\xc3')
    assert [one["frame"] for one in read_json_lines(path)] == [0, 1]
