"""Batches to sightings and decisions back, on stand-ins for pyds' objects."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from savant_reid.hosts.deepstream.frames import PARKED, frame_time_ns
from savant_reid.identity.types import Decision, Reason, RunnerUp, State, Unmatched
from savant_reid.pyfuncs.gate import Gate
from savant_reid.pyfuncs.identify import Identify
from tests.hosts.deepstream import pyds_double as pyds
from tests.hosts.deepstream.scene import DETECTOR, FRAME_NS, REID, START_NS, Recorder, Scene, gather_host
from tests.identity.scenes import DIMENSION, People


def snapshot(scene):
    """All of the metadata but class ids."""
    kept = []
    for obj in scene.objects():
        fields = {k: copy.deepcopy(v) for k, v in vars(obj).items() if k not in ("_class_id", "user_metas")}
        fields["misc_obj_info"] = fields["misc_obj_info"].tolist()
        kept.append((fields, len(obj.user_metas)))
    return kept


def decide(*decisions):
    return Recorder(lambda frame: frame.write_decisions([d for d in decisions if d.camera == frame.camera]))


def test_sightings_are_the_tracked_people_of_each_camera_by_the_box_that_savant_takes():
    scene, plugin = Scene(), Recorder()
    batch = scene.next([5, 6], [5])
    tracker = batch.frames[0].objects[1].tracker_bbox_info.org_bbox_coords
    tracker.left, tracker.top, tracker.width, tracker.height = 111.0, 61.0, 50.0, 170.0
    batch.frames[0].objects.append(pyds.NvDsObjectMeta(8, (0, 0, 9, 9), DETECTOR + 1, 0))  # of another detector
    batch.frames[0].objects.append(pyds.NvDsObjectMeta(9, (0, 0, 9, 9), DETECTOR, 3))  # of another class
    batch.frames[1].objects.insert(0, pyds.NvDsObjectMeta(pyds.UNTRACKED, (0, 0, 9, 9), DETECTOR, 0))
    runner = scene.runner(plugin)
    runner.process(None)
    (door,), (hall,) = plugin.seen
    assert (door.camera, door.track_ids.tolist(), door.frame_size) == ("door", [5, 6], (640, 360))
    assert door.boxes.tolist() == [[20, 60, 60, 180], [111, 61, 50, 170]]
    assert door.boxes.dtype == np.float32
    assert door.confidences.tolist() == pytest.approx([0.9, 0.9])
    assert (hall.camera, hall.track_ids.tolist()) == ("hall", [5])
    assert door.embedding_of.tolist() == [-1, -1]
    assert list(scene.metric("reid_left_out", runner).values()) == [1]


def test_a_track_id_that_two_objects_of_a_frame_claim_is_the_first_ones():
    scene, plugin = Scene(), Recorder()
    scene.next([5, 6, 5], [5])
    scene.runner(plugin).process(None)
    (door,), (hall,) = plugin.seen
    assert door.track_ids.tolist() == [5, 6]
    assert door.boxes[:, 0].tolist() == [20, 110]
    assert hall.track_ids.tolist() == [5]


def test_time_is_when_the_frame_entered_savant_and_never_pts():
    scene, plugin = Scene(), Recorder()
    runner = scene.runner(plugin)
    for _ in range(2):
        scene.next([1], [2])
        runner.process(None)
    assert [seen[0].time_ns for seen in plugin.seen] == [START_NS] * 2 + [START_NS + FRAME_NS] * 2


def test_time_comes_from_the_uuid_where_the_stamp_cannot_be():
    """Savant-rs 0.3.5 says 55 in one place; a UUIDv7 begins with milliseconds (RFC 9562)."""

    class VideoFrame:
        creation_timestamp_ns = 55
        uuid = "018bcfe5-6800-7fad-aef7-5f1fff10544d"

    assert frame_time_ns(VideoFrame) == START_NS
    VideoFrame.uuid = "018bcfe5-6800-4fad-aef7-5f1fff10544d"
    with pytest.raises(ValueError, match="expected the time at which the frame entered Savant, found 55"):
        frame_time_ns(VideoFrame)


def test_several_frames_of_one_camera_in_a_batch_are_several_moments():
    """Savant lets the muxer do so unless max_same_source_frames says otherwise; a person is not two people by that."""
    scene, plugin = Scene(cameras=("door", "door", "hall")), Recorder()
    plugin.joint = True
    runner = scene.runner(plugin)
    scene.next([2], [1], [3])
    scene.video_frames[1].creation_timestamp_ns -= FRAME_NS
    for frame in scene.batch.frames[:2]:
        frame.pad_index = 0
    runner.process(None)
    assert [sorted((s.camera, *s.track_ids.tolist()) for s in part) for part in plugin.seen] == [
        [("door", 1), ("hall", 3)],
        [("door", 2)],
    ]


def test_attributes_are_plain_values_whatever_the_core_says():
    scene = Scene()
    scene.next([1, 2], [])
    plugin = decide(
        Decision("door", 1, 2**62, State.CONFIRMED, np.float32(0.5), RunnerUp(3, 0.1)),
        Decision("door", 2, Unmatched(Reason.TOO_LITTLE_EVIDENCE), State.PROVISIONAL, 0),
    )
    scene.runner(plugin).process(None)
    said = scene.convert()[0]
    assert said[0] == {("reid", "global_id"): 2**62, ("reid", "state"): "confirmed", ("reid", "probability"): 0.5}
    assert said[1] == {("reid", "global_id"): -1, ("reid", "state"): "provisional", ("reid", "probability"): 0.0}
    assert [type(value) for value in said[1].values()] == [int, str, float]


def test_an_identity_beyond_64_bits_is_one_frames_trouble():
    scene = Scene()
    scene.next([1], [2])
    big, fine = (Decision(c, t, i, State.CONFIRMED, 0.9) for c, t, i in (("door", 1, 2**63), ("hall", 2, 4)))
    runner = scene.runner(decide(big, fine))
    runner.process(None)
    assert [[one.get(("reid", "global_id")) for one in frame] for frame in scene.convert()] == [[None], [4]]
    assert runner.troubles.counts == {("write", "door"): 1}


def test_attributes_of_others_stay_and_our_own_are_replaced():
    scene = Scene()
    scene.next([1], [])
    uid = int(scene.objects()[0].misc_obj_info[1])
    other, old = ("colour", "hat"), ("reid", "global_id")
    scene.storage[uid] = {other: ["red"], old: ["upstream's"]}
    scene.runner(decide(Decision("door", 1, 7, State.CONFIRMED, 0.9))).process(None)
    assert scene.storage[uid][other] == ["red"]
    assert [attribute.value for attribute in scene.storage[uid][old]] == [7]


def test_objects_with_one_label_and_box_do_not_cost_the_batch():
    scene = Scene()
    batch = scene.next([1, 2, 3], [1])
    twin = copy.deepcopy(batch.frames[0].objects[0])
    twin.object_id = 4
    batch.frames[0].objects.append(twin)
    with pytest.raises(ValueError, match="same id"):
        scene.convert()
    before = [obj.object_id for obj in scene.objects()]
    decisions = [Decision("door", t, t + 10, State.CONFIRMED, 0.9) for t in (1, 2, 3, 4)]
    decisions.append(Decision("hall", 1, 20, State.CONFIRMED, 0.9))
    runner = scene.runner(decide(*decisions))
    runner.process(None)
    assert [obj.object_id for obj in scene.objects()] == before
    said = scene.convert()
    assert [one[("reid", "global_id")] for one in said[0]] == [11, 12, 13, 14]
    assert not scene.storage
    assert list(scene.metric("reid_keys_parted", runner).values()) == [1]


def test_objects_without_a_key_get_savants_own():
    """A key of our making would leave the selection type unset, and Savant's conversion would raise for it."""
    scene = Scene()
    scene.next([1, 2], [])
    for obj in scene.objects():
        obj.misc_obj_info[:] = 0
    decisions = [Decision("door", t, t + 10, State.CONFIRMED, 0.9) for t in (1, 2)]
    scene.runner(decide(*decisions)).process(None)
    assert [obj.misc_obj_info[0] for obj in scene.objects()] == [1, 1]
    assert [one[("reid", "global_id")] for one in scene.convert()[0]] == [11, 12]


def test_an_object_that_savant_cannot_key_is_passed_over():
    scene = Scene()
    scene.next([1, 2], [])
    broken = scene.objects()[0]
    broken.misc_obj_info[:] = 0
    broken.detector_bbox_info.org_bbox_coords.width = 0.0
    runner = scene.runner(decide(*(Decision("door", t, t + 10, State.CONFIRMED, 0.9) for t in (1, 2))))
    runner.process(None)
    assert [entry[("reid", "global_id")][0].value for entry in scene.storage.values()] == [12]
    assert runner.troubles.counts == {("object without a key", "-"): 1}


def should_infer(obj, operate_on=(0,)):
    """nvinfer's own test (gstnvinfer.cpp, should_infer_object), where std::vector::at throws for a negative index."""
    allowed = [i in operate_on for i in range(max(operate_on) + 1)]
    if obj.unique_component_id != DETECTOR or len(allowed) <= obj.class_id:
        return False
    if obj.class_id < 0:
        raise IndexError("std::out_of_range")
    return allowed[obj.class_id]


def test_the_gate_keeps_from_the_model_whom_it_need_not_see_and_changes_nothing_else():
    scene = Scene()
    gate = scene.runner(Gate())
    identify = scene.runner(Recorder())
    scene.next([1, 2], [1])
    gate.process(None)
    assert [should_infer(obj) for obj in scene.objects()] == [True, True, True]
    identify.process(None)
    scene.next([1, 2, 3], [1])
    before = snapshot(scene)
    gate.process(None)
    assert [should_infer(obj) for obj in scene.objects()] == [False, False, True, False]
    assert snapshot(scene) == before
    assert [obj.class_id for obj in scene.objects()] == [PARKED, PARKED, 0, PARKED]
    identify.process(None)
    assert [obj.class_id for obj in scene.objects()] == [0, 0, 0, 0]
    assert snapshot(scene) == before
    assert [len(seen) for seen in (batch[0] for batch in identify.plugin.seen[2:])] == [3, 1]
    held = {labels[1]: n for labels, n in scene.metric("reid_held_back", gate).items()}
    assert held == {"door": 2, "hall": 1}


def test_class_ids_come_back_though_the_next_pyfunc_fails_and_other_classes_keep_theirs():
    scene = Scene()
    gate, failing = scene.runner(Gate()), scene.runner(Recorder(lambda _: 1 / 0))
    for _ in range(2):
        batch = scene.next([1], [1])
        batch.frames[0].objects.append(pyds.NvDsObjectMeta(3, (0, 0, 50, 90), DETECTOR, 2))
        gate.process(None)
    assert [obj.class_id for obj in scene.objects()] == [PARKED, 2, PARKED]
    failing.process(None)
    assert [obj.class_id for obj in scene.objects()] == [0, 2, 0]


def test_embeddings_may_be_absent_from_any_object_or_all(site_file):
    people, scene = People(1), Scene()
    runner = scene.runner(Identify(str(site_file), "person_reid"), gather=lambda arrays: gather_host(arrays, DIMENSION))
    for step in range(12):
        batch = scene.next([1, 2], [])
        if step % 3:
            pyds.embed(batch.frames[0].objects[0], people.crop(0), REID)
        pyds.embed(batch.frames[0].objects[1], people.crop(5), REID + 1)  # another model's
        runner.process(None)
        said = scene.convert()[0]
    assert [one[("reid", "global_id")] for one in said] == [1, -1]
    assert [one[("reid", "state")] for one in said][1] == "provisional"
    assert not runner.troubles.counts
    ((labels, count),) = scene.metric("reid_embeddings", runner).items()
    assert (labels[1], count) == ("door", 8)
