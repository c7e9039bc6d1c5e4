from __future__ import annotations

import numpy as np
import pytest

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.tracker import CameraTrackers
from savant_reid.hosts.local.tracker_settings import ByteTrackSettings

FRAME_NS = 40_000_000


def frame(camera: str, index: int, *lefts: float, epoch: int = 0) -> Frame:
    return Frame(
        camera=camera,
        index=index,
        time_ns=index * FRAME_NS,
        image=np.zeros((2, 2, 3), np.uint8),
        epoch=epoch,
        boxes=np.array([[left, 50, 40, 120] for left in lefts], np.float32).reshape(-1, 4),
        confidences=np.full(len(lefts), 0.9, np.float32),
    )


def test_cameras_do_not_disturb_each_other() -> None:
    trackers = CameraTrackers(ByteTrackSettings(frame_rate=25))
    for index in range(5):
        batch = [frame("door", index, 100 + index), frame("hall", index, 300, 500)]
        trackers.track(batch)
    assert batch[0].track_ids.tolist() == [1]
    assert batch[1].track_ids.tolist() == [1, 2]
    assert batch[1].due.tolist() == [True, True]
    assert batch[1].embedding_of.tolist() == [-1, -1]


def test_a_new_epoch_starts_anew_and_ids_go_on() -> None:
    trackers = CameraTrackers(ByteTrackSettings(frame_rate=25))
    trackers.track([frame("door", 0, 100, 300)])
    after = frame("door", 1, 100, epoch=1)
    trackers.track([after])
    assert after.track_ids.tolist() == [3]


def test_two_frames_of_one_camera_in_a_batch_are_taken_in_turn() -> None:
    trackers = CameraTrackers(ByteTrackSettings(frame_rate=25))
    batch = [frame("door", index, 100 + 10 * index) for index in range(4)]
    trackers.track(batch)
    assert [one.track_ids.tolist() for one in batch] == [[1]] * 4


@pytest.mark.parametrize(("camera", "expected"), [("slow", [1]), ("other", [])])
def test_a_cameras_own_frame_rate_counts(camera: str, expected: list[int]) -> None:
    # A track waits 0.2 s and one frame more: 400 ms at 5 frames per second, 240 ms at 25.
    trackers = CameraTrackers(ByteTrackSettings(frame_rate=25, lost_seconds=0.2), {"slow": 5.0})
    back_after_400_ms = frame(camera, 10, 100)
    trackers.track([frame(camera, 0, 100), frame(camera, 5), back_after_400_ms])
    assert back_after_400_ms.track_ids.tolist() == expected


def test_refused_boxes_are_counted_over_epochs() -> None:
    trackers = CameraTrackers()
    for epoch in range(2):
        broken = frame("door", epoch, 100, epoch=epoch)
        broken.boxes[0, 2] = np.nan
        trackers.track([broken])
    assert trackers.refused == 2


def test_colours_are_no_embeddings() -> None:
    trackers = CameraTrackers(ByteTrackSettings(look_weight=1.0))
    one = frame("door", 0, 100)
    trackers.track([one])
    assert one.track_ids.tolist() == [1]
    assert one.looks is None


@pytest.mark.parametrize(("weight", "expected"), [(0.0, None), (0.5, 0.1)])
def test_colours_are_asked_for_where_they_count(weight: float, expected: float | None) -> None:
    assert ByteTrackSettings(look_weight=weight).colours_from == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"match_threshold": 1.5}, r"match_threshold: expected a cost.* from 0 to 1, found 1.5"),
        ({"frame_rate": 0}, r"frame_rate: expected frames per second from 0.1 to 1000, found 0"),
        ({"lost_seconds": "long"}, r"lost_seconds: expected seconds from 0 to 3600, found 'long'"),
        ({"lost_seconds": float("nan")}, r"lost_seconds: .* found nan"),
        ({"high_confidence": True}, r"high_confidence: expected a confidence from 0 to 1, found True"),
        ({"low_confidence": 0.6}, r"low_confidence: expected at most high_confidence \(0.5\), found 0.6"),
        ({"look_weight": -1}, r"look_weight: expected a weight from 0 to 10, found -1"),
        ({"sure_confidence": 2}, r"sure_confidence: expected a confidence from 0 to 1, found 2"),
        ({"speed": 1}, r"speed: expected one of frame_rate, "),
    ],
)
def test_wrong_settings_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ByteTrackSettings.from_mapping(values)


def test_settings_come_from_the_module() -> None:
    settings = ByteTrackSettings.from_mapping({"lost_seconds": 2, "frame_rate": 15})
    assert (settings.lost_seconds, settings.frame_rate, settings.match_threshold) == (2, 15, 0.8)
