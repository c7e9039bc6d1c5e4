"""A stream's life: cameras come, end and go, things break, and the batch goes on."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from savant_reid.errors import ConfigError, ModelError
from savant_reid.hosts.deepstream import events as events_module
from savant_reid.hosts.deepstream.epochs import TRACK_BITS, Epochs, fold, unfold
from savant_reid.hosts.deepstream.events import MOST_WAITING
from savant_reid.hosts.deepstream.versions import warnings_of
from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.pyfuncs import shared
from savant_reid.pyfuncs.identify import Identify
from savant_reid.sinks import identities
from tests.hosts.deepstream import pyds_double as pyds
from tests.hosts.deepstream.scene import REID, Recorder, Scene, gather_host
from tests.identity.scenes import DIMENSION, People


def tracks(plugin, camera):
    return [s.track_ids.tolist() for batch in plugin.seen for s in batch if s.camera == camera]


def run(runner, scene, *people):
    scene.next(*people)
    runner.process(None)


def test_a_stream_that_ended_begins_a_new_epoch_and_the_other_cameras_go_on():
    scene, plugin = Scene(), Recorder()
    runner = scene.runner(plugin)
    for camera in scene.cameras:
        runner.source_added(camera)
    run(runner, scene, [1, 2], [1])
    runner.source_ended("door")
    runner.source_deleted("door")
    run(runner, scene, [], [1])
    runner.source_added("door")
    run(runner, scene, [1], [1])
    run(runner, scene, [1], [1])
    first, _, again, after = tracks(plugin, "door")
    assert first == [1, 2]
    assert again == after
    assert again[0] >> TRACK_BITS >= 1
    assert unfold(again[0]) == 1
    assert {tuple(ids) for ids in tracks(plugin, "hall")} == {(1,)}
    assert plugin.heard == [("add", "door"), ("add", "hall"), ("eos", "door"), ("delete", "door"), ("add", "door")]


def test_another_pad_is_another_tracker():
    """DeepStream's trackers belong to pads; Savant sends no event for a source that takes a free pad."""
    epochs = Epochs()
    assert [epochs.of("door", pad) for pad in (0, 0, 3, 3, 0)] == [0, 0, 1, 1, 2]


def test_folded_ids_are_unique_and_can_be_read_back():
    ids = fold(np.array([5, 5, 2**64 - 2], np.uint64), np.array([0, 1, 2**23 - 1]))
    assert ids.dtype == np.int64
    assert len(set(ids.tolist())) == 3
    assert (ids >= 0).all()
    assert [unfold(i) for i in ids.tolist()[:2]] == [5, 5]


def test_epochs_outlive_the_instance_that_savant_replaces_in_development():
    scene, plugin = Scene(), Recorder()
    first = scene.runner(plugin, "identify of this test")
    run(first, scene, [1], [])
    first.source_ended("door")
    run(first, scene, [1], [])
    reloaded = scene.runner(plugin, "identify of this test")  # metrics are registered once, or the exporter refuses
    run(reloaded, scene, [1], [])
    assert [ids[0] >> TRACK_BITS for ids in tracks(plugin, "door")] == [0, 1, 1]


def test_an_exception_costs_one_frame_is_counted_and_logged_with_camera_and_frame(caplog):
    scene = Scene()

    def fail_at_the_door(frame):
        if frame.camera == "door":
            raise RuntimeError("lens cap")
        done.append(frame.camera)

    done = []
    runner = scene.runner(Recorder(fail_at_the_door), "gate")
    scene.step = 41
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            run(runner, scene, [1], [1])
    assert done == ["hall"] * 5
    assert runner.troubles.counts == {("frame", "door"): 5}
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "gate: frame: camera door, frame 41: RuntimeError: lens cap (1 so far)"
    assert [line.rsplit("(")[1] for line in lines] == ["1 so far)", "2 so far)", "4 so far)"]
    assert caplog.records[0].exc_info
    assert not caplog.records[1].exc_info
    assert scene.metric("reid_troubles", runner) == {("gate", "door", "frame"): 5}


def test_a_frame_without_savants_metadata_or_time_is_passed_on_and_the_others_are_worked_on():
    scene, plugin = Scene(cameras=("door", "hall", "yard")), Recorder()
    runner = scene.runner(plugin)
    batch = scene.next([1], [2], [3])
    batch.frames[0].savant_idx = None
    scene.video_frames[1].creation_timestamp_ns = 0
    runner.process(None)
    assert [s.camera for batch in plugin.seen for s in batch] == ["yard"]
    assert plugin.seen[0][0].track_ids.tolist() == [3]
    assert runner.troubles.counts == {("frame", "-"): 1, ("frame", "hall"): 1}


def test_nothing_leaves_the_pyfunc_even_when_the_metadata_cannot_be_read():
    scene = Scene()
    runner = scene.runner(Recorder())
    scene.next([1], [1])
    scene.batch.frames[0].objects.append(None)
    runner.process(None)
    scene.batch = None
    runner.process(None)
    assert runner.troubles.counts == {("batch", "-"): 2}


def test_a_hook_that_fails_is_counted():
    scene = Scene()
    plugin = Recorder()
    plugin.on_source_eos = lambda _camera: 1 / 0
    runner = scene.runner(plugin)
    runner.source_ended("door")
    assert runner.troubles.counts == {("source EOS", "door"): 1}


def test_a_camera_that_site_yml_lacks_is_told_once_and_the_others_get_their_answers(site_file, caplog):
    scene = Scene(cameras=("roof", "door"))
    runner = scene.runner(Identify(str(site_file), "person_reid"))
    with caplog.at_level(logging.ERROR):
        run(runner, scene, [1], [1])
    assert [len(one) for frame in scene.convert() for one in frame] == [0, 3]
    assert f"{site_file}: cameras: expected roof among them" in caplog.text
    assert "found door, hall" in caplog.text
    assert runner.troubles.counts == {("camera refused", "roof"): 1}


def test_identify_gets_all_cameras_of_a_moment_at_once(site_file, monkeypatch):
    """Two people seen at once are never one: only who sees both frames can know."""
    resolver, asked = shared.resolver_for(site_file), []
    resolve = resolver.resolve
    monkeypatch.setattr(resolver, "resolve", lambda batch: asked.append([s.camera for s in batch]) or resolve(batch))
    scene = Scene()
    run(scene.runner(Identify(str(site_file), "person_reid")), scene, [1], [1])
    assert asked == [["door", "hall"]]


def test_a_broken_model_costs_the_embeddings_and_not_the_tracks(site_file):
    def gather(_arrays):
        raise ModelError("person_reid: expected one output layer (D,) of FP32, found 2")

    scene = Scene()
    runner = scene.runner(Identify(str(site_file), "person_reid"), gather=gather)
    batch = scene.next([1], [])
    pyds.embed(batch.frames[0].objects[0], People(1).crop(0), REID)
    runner.process(None)
    assert scene.convert()[0][0]["reid", "state"] == "provisional"
    assert runner.troubles.counts == {("embeddings", "-"): 1}


def test_names_that_the_module_has_not_are_refused_at_the_start(site_file):
    with pytest.raises(ConfigError, match=r"people: expected element.label of a detector .*found 'detector.person'"):
        Scene().runner(Identify(str(site_file), "person_reid", people="detector.person"))
    with pytest.raises(ConfigError, match=r"embedding_model: expected the name of an nvinfer element.*'reid'"):
        Scene().runner(Identify(str(site_file), "reid"))


def event(track_id=5, camera="door"):
    return IdentityEvent(EventKind.CREATED, 17, 3, camera, track_id)


def test_events_leave_with_a_frame_in_the_published_schema_and_with_the_trackers_own_number():
    jsonschema = pytest.importorskip("jsonschema")
    scene, plugin = Scene(), Recorder()
    runner = scene.runner(plugin)
    events_module._sequences.clear()
    plugin.events = [event(track_id=(3 << TRACK_BITS) + 5), event(None, None)]
    run(runner, scene, [1], [1])
    ((name, texts),) = scene.video_frames[0].texts
    schema = json.loads((Path(identities.__file__).parent / "schemas" / "identity.json").read_text())
    messages = [json.loads(text) for text in texts]
    for message in messages:
        jsonschema.validate(message, schema)
    assert name == "events"
    assert [(m["sequence"], m["track_id"], m["site"]) for m in messages] == [(0, 5, "shop"), (1, None, "shop")]
    run(runner, scene, [1], [1])
    assert scene.video_frames[0].texts == []
    assert list(scene.metric("reid_events", runner).values()) == [2]


def test_events_wait_for_a_frame_that_takes_them_and_not_without_bound():
    scene, plugin = Scene(), Recorder()
    runner = scene.runner(plugin)
    plugin.events = [event() for _ in range(MOST_WAITING + 2)]
    scene.next([1], [1])
    scene.video_frames[0].texts = None
    runner.process(None)
    assert runner.troubles.counts == {("event dropped", "-"): 2, ("events", "door"): 1}
    run(runner, scene, [1], [1])
    assert len(scene.video_frames[0].texts[0][1]) == MOST_WAITING


def test_versions_that_do_not_understand_each_other_are_told():
    assert warnings_of("0.5.0", "0.3.5", "0.3.5") == []
    assert warnings_of("0.5.0", "0.3.5", None) == []
    (text,) = warnings_of("0.5.0", "0.3.5", "0.3.0")
    assert "savant-rs: expected 0.3.5, which Savant 0.5.0 was built with, found 0.3.0" in text
    assert "use images and wheels of one Savant release" in text
    assert "expected 0.5.x, which this module is written for, found 0.6.1" in warnings_of("0.6.1", "1.0", "1.0")[0]


def test_one_person_on_two_cameras_has_one_identity(site_file):
    """From tensors in memory to attributes in the message, over a walk from one camera to the other."""
    people, scene = People(1), Scene()
    options = {"gather": lambda arrays: gather_host(arrays, DIMENSION)}
    runner = scene.runner(Identify(str(site_file), "person_reid"), **options)
    said = []
    for step in range(120):
        here = ([4], []) if step < 50 else ([], [9]) if step > 70 else ([], [])
        batch = scene.next(*here)
        for frame in batch.frames:
            for obj in frame.objects:
                pyds.embed(obj, people.crop(0), REID)
        runner.process(None)
        said += [one["reid", "global_id"] for frame in scene.convert() for one in frame]
    assert said[49] == said[-1] == 1
    assert not runner.troubles.counts
    assert not scene.storage
