"""What is said in ONVIF's words, and the page that shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sink_records import event, frame

from savant_reid.identity.types import Decision, Reason, Sightings, State, Unmatched
from savant_reid.records import FrameRecord
from savant_reid.sinks.onvif import OnvifMessages, identity_uuid, topic_level, utc_time

RUN = "20261123T152619Z-3b22c813"
PAGE = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TOPICS = re.findall(r"^```\n(\S+)\n```", PAGE, re.MULTILINE)
MOMENT_NS = 1_795_447_579_321_987_654


@pytest.fixture
def messages() -> OnvifMessages:
    return OnvifMessages("shop", "store-12", RUN)


def people() -> FrameRecord:
    """Two people of the page's frame, in pixels of a picture of 640 by 480."""
    sightings = Sightings(
        camera="entrance",
        time_ns=MOMENT_NS,
        track_ids=np.array([7, 9], np.int64),
        boxes=np.array([[160, 120, 64, 240], [480, 60, 40, 120]], np.float32),
        confidences=np.array([0.9123, 0.6402], np.float32),
        embedding_of=np.full(2, -1, np.int64),
        embeddings=np.zeros((0, 8), np.float32),
        frame_size=(640, 480),
    )
    nobody = Unmatched(Reason.TOO_LITTLE_EVIDENCE)
    decisions = [
        Decision("entrance", 7, 3, State.CONFIRMED, 0.98712),
        Decision("entrance", 9, nobody, State.PROVISIONAL, 0.0),
    ]
    return FrameRecord(118, sightings, decisions)


def merged():
    evidence = {"probability": 0.991, "similarity": 0.83, "gap_seconds": 6.2}
    return event("merged", 8, MOMENT_NS, camera="aisle-1", track_id=23, other_id=3, reason="alike", evidence=evidence)


def test_the_examples_on_the_page_are_what_is_said(messages):
    assert [json.loads(messages.event(merged(), 41)), json.loads(messages.frame(people()))] == EXAMPLES


def test_the_topics_on_the_page_are_those(messages):
    assert [messages.event_topic(merged()), messages.frame_topic("entrance")] == TOPICS


def test_boxes_turn_back_into_the_pixels_they_were(messages):
    """By ONVIF's own rule for its normalised coordinates: x from -1 to 1 to the right, y from -1 to 1 upwards."""
    record = people()
    [said] = json.loads(messages.frame(record))["Frame"]
    for one, (left, top, width, height) in zip(said["Object"], record.sightings.boxes.tolist(), strict=True):
        box = {
            side: one["Appearance"]["Shape"]["BoundingBox"][f"@{side}"] for side in ("left", "top", "right", "bottom")
        }
        assert box["top"] > box["bottom"]
        assert (box["left"] + 1) * 320 == pytest.approx(left, abs=0.01)
        assert (box["right"] + 1) * 320 == pytest.approx(left + width, abs=0.01)
        assert (1 - box["top"]) * 240 == pytest.approx(top, abs=0.01)
        assert (1 - box["bottom"]) * 240 == pytest.approx(top + height, abs=0.01)
        middle = one["Appearance"]["Shape"]["CenterOfGravity"]
        assert middle["@x"] == pytest.approx((box["left"] + box["right"]) / 2, abs=1e-4)
        assert middle["@y"] == pytest.approx((box["top"] + box["bottom"]) / 2, abs=1e-4)


def test_a_frame_without_people_says_so_without_an_object(messages):
    [said] = json.loads(messages.frame(frame(4, {})))["Frame"]
    assert set(said) == {"@UtcTime", "@Source", "@context", "@reid:Id"}


def test_numbers_that_json_cannot_say_are_left_out(messages):
    broken = frame(0, {7: 3, 8: 4})
    broken.sightings.boxes[1, 0] = float("nan")
    [said] = json.loads(messages.frame(broken))["Frame"]
    assert [one["@ObjectId"] for one in said["Object"]] == [7]
    told = json.loads(messages.event(event("created", 1, evidence={"probability": float("nan"), "similarity": 0.5}), 0))
    assert "reid:Probability" not in told["Data"]
    assert told["Data"]["reid:Similarity"] == 0.5


def test_names_of_people_and_reasons_stay_at_home(messages):
    told = messages.event(event("enrolled", 1, reason="Ada Lovelace", evidence={"embeddings": 4}), 0)
    assert "Ada" not in told
    assert json.loads(told)["Data"]["reid:Embeddings"] == 4


def test_an_identity_has_one_uuid_in_frames_and_events_and_another_in_the_next_run(messages):
    [said] = json.loads(messages.frame(people()))["Frame"]
    told = json.loads(messages.event(merged(), 0))["Data"]
    assert said["Object"][0]["@UUID"] == told["reid:OtherUUID"] == identity_uuid(RUN, 3)
    assert told["reid:UUID"] == identity_uuid(RUN, 8) != identity_uuid("another-run", 8)


def test_a_split_says_since_when(messages):
    told = json.loads(messages.event(event("split", 1, MOMENT_NS, other_id=2, since_ns=MOMENT_NS - 10**9), 0))
    assert (told["UtcTime"], told["Data"]["reid:SinceUtcTime"]) == (
        "2026-11-23T15:26:19.321Z",
        "2026-11-23T15:26:18.321Z",
    )


def test_what_concerns_no_camera_names_none(messages):
    topic = messages.event_topic(event("expired", 5))
    assert topic == "shop/onvif-ej/VideoAnalytics/reid:Identity/Expired/&store-12/savant-reid"
    assert "VideoSourceConfiguration" not in json.loads(messages.event(event("expired", 5), 0))["Source"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("aisle-1", "aisle-1"),
        ("a/b+c#d", "abcd"),
        ("Eingang Süd 北", "Eingang Süd 北"),
        ("half \ud800 pair\x00\n\x9f", "half  pair"),
        ("\ufdd0\ufffe\U0001ffff", "_"),
        ("", "_"),
        ("x" * 1000, "x" * 128),
    ],
)
def test_one_level_of_a_topic(text, level):
    assert topic_level(text) == level


def test_times_are_not_rounded_up():
    assert utc_time(999_999) == "1970-01-01T00:00:00.000Z"
    assert utc_time(-1) == "1969-12-31T23:59:59.999Z"
    assert utc_time(2**63 - 1) == "2262-04-11T23:47:16.854Z"
