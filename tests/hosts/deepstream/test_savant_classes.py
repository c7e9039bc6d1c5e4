"""The classes that Savant loads, around stand-ins for its own."""

from __future__ import annotations

import hashlib
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from savant_reid.errors import ConfigError
from savant_reid.hosts.plugin import Plugin
from savant_reid.pyfuncs import shared
from savant_reid.pyfuncs.converter import KeepTensor
from savant_reid.pyfuncs.gate import Gate
from tests.hosts.deepstream.savant_double import Element, NvDsPyFuncPlugin, load, start
from tests.hosts.deepstream.scene import AttributeMeta

GATE = ("savant_reid.pyfuncs.gate", "Gate")
IDENTIFY = ("savant_reid.pyfuncs.identify", "Identify")


def test_without_savant_the_names_are_our_own_classes():
    assert issubclass(Gate, Plugin)
    assert KeepTensor()(1, model=None, roi=None) == []
    assert "savant_reid.hosts.deepstream.plugin" not in sys.modules


@pytest.mark.usefixtures("scene")
def test_savant_gets_a_pyfunc_of_its_own_kind_under_our_name():
    gate = load(*GATE, every_s=3.0)
    assert isinstance(gate, NvDsPyFuncPlugin)
    assert type(gate).__name__ == "Gate"
    assert gate.logger.name == "savant_reid.pyfuncs.gate"
    assert not hasattr(gate, "every_s")


@pytest.mark.parametrize(
    ("loading", "kwargs", "message"),
    [
        (GATE, {"evry_s": 2.0}, "gate: kwargs: expected some of .*every_s.*, found evry_s"),
        (IDENTIFY, {"site": "s", "embedding_model": "m", "sites": "t"}, "Identify: kwargs: .*'sites'"),
        (IDENTIFY, {"site": "s"}, "Identify: kwargs: .*'embedding_model'"),
        (("savant_reid.pyfuncs.converter", "KeepTensor"), {"a": 1}, "KeepTensor: kwargs: "),
    ],
)
@pytest.mark.usefixtures("scene")
def test_misspelt_kwargs_are_refused_though_savant_takes_any(loading, kwargs, message):
    with pytest.raises(ConfigError, match=message):
        load(*loading, **kwargs)


def test_a_module_executed_twice_shares_one_resolver(scene, site_file):
    """Savant executes the module for each element and for each reload. One gallery: the same track is not new again."""
    first, second = (load(*IDENTIFY, site=str(site_file), embedding_model="person_reid") for _ in range(2))
    assert type(first) is not type(second)
    start(first, scene, "identify")
    start(second, scene, "identify")
    resolver = shared.resolver_for(site_file)
    assert first._plugin is not second._plugin
    for step in range(2):
        scene.next([1], [2])
        (first, second)[step].process_buffer(None)
    assert sum(resolver.decisions.values()) == 4
    assert shared.resolver_for(site_file) is resolver


def test_gate_and_identify_in_a_row_and_what_leaves_savant(scene, site_file):
    gate = start(load(*GATE), scene, "gate")
    identify = start(load(*IDENTIFY, site=str(site_file), embedding_model="person_reid"), scene, "identify")
    for _ in range(3):
        scene.next([1, 2], [1])
        gate.process_buffer(None)
        identify.process_buffer(None)
        said = scene.convert()
    assert [[one["reid", "global_id"] for one in frame] for frame in said] == [[-1, -1], [-1]]
    assert [obj.class_id for obj in scene.objects()] == [0, 0, 0]
    assert scene.metric("reid_people", gate._runner, identify._runner) == {
        (e, c): 3 * n for e in ("gate", "identify") for c, n in (("door", 2), ("hall", 1))
    }


def test_events_of_sources_reach_the_plugin_and_unknown_ones_are_counted(scene):
    gate = start(load(*GATE), scene, "gate")
    heard = []
    gate._plugin.on_source_add = lambda camera: heard.append(("add", camera))
    gate._plugin.on_source_eos = lambda camera: heard.append(("eos", camera))
    gate._plugin.on_source_delete = lambda camera: heard.append(("delete", camera))
    for event in (("add", 0), ("eos", 1), ("delete", 0), ("delete", 17)):
        gate.on_event(event)
    assert heard == [("add", "door"), ("eos", "hall"), ("delete", "door")]
    assert gate._runner.troubles.counts == {("event", "-"): 1}


def test_no_exception_leaves_process_buffer(scene):
    gate = start(load(*GATE), scene, "gate")
    scene.batch = None
    gate.process_buffer(None)
    assert gate._runner.troubles.counts["batch", "-"] == 1
    assert gate.on_stop() is True


def reid_element(folder, onnx):
    (folder / "model.onnx").write_bytes(onnx)
    config = folder / "config.txt"
    config.write_text("[property]\nonnx-file=model.onnx\ngie-unique-id=9\n[class-attrs-all]\ntopk=20\n")
    return {"person_reid": Element("person_reid", {"config-file-path": str(config)})}


def test_a_gallery_that_another_model_has_built_is_refused_at_the_start(scene, site_file, tmp_path):
    pytest.importorskip("pyarrow")
    from savant_reid.gallery.enrolment import Enrolled, EnrolledPerson, save_enrolled

    mine = f"person_reid sha256:{hashlib.sha256(b'mine').hexdigest()}"
    person = EnrolledPerson("Ada", np.eye(2, 8, dtype=np.float32), None, ("door", "door"), ("", ""))
    save_enrolled(tmp_path / "people.parquet", Enrolled(mine, (person,)))
    site_file.write_text(
        "site: shop\ncameras: {door: {}, hall: {}}\nidentity: {policy: closed_set, enrolled: people.parquet}\n"
    )
    kwargs = {"site": str(site_file), "embedding_model": "person_reid"}
    start(load(*IDENTIFY, **kwargs), scene, "identify", reid_element(tmp_path, b"mine"))
    with pytest.raises(
        ConfigError, match=r"people.parquet: expected people enrolled with the model person_reid sha256"
    ):
        start(load(*IDENTIFY, **kwargs), scene, "identify", reid_element(tmp_path, b"another"))


def test_another_savant_rs_is_told_at_the_start(scene, caplog, monkeypatch):
    monkeypatch.setattr("savant_reid.hosts.deepstream.versions.version", lambda _: "0.3.0")
    with caplog.at_level(logging.WARNING):
        start(load(*GATE), scene, "gate")
    assert "savant-rs: expected 0.3.5, which Savant 0.5.0 was built with, found 0.3.0" in caplog.text


@pytest.mark.usefixtures("scene")
def test_the_converter_asks_for_the_device_pointer_and_gives_no_attribute():
    """disable-output-host-copy=1 leaves nothing on the host; an attribute of 512 floats costs 53 us to write."""
    converter = load("savant_reid.pyfuncs.converter", "KeepTensor")
    assert converter.tensor_format.name == "CuPy"
    assert converter(object(), model=None, roi=(0, 0, 1, 1)) == []


class Artist:
    frame_wh = (640, 360)

    def __init__(self):
        self.boxes, self.lines, self.texts = [], 0, []

    def add_bbox(self, box, _width, colour, _background):
        self.boxes.append((box, colour))

    def add_line(self, *_):
        self.lines += 1

    def add_text(self, text, anchor, *_):
        self.texts.append((text, anchor))


class DrawnObject:
    def __init__(self, box, said):
        self.bbox = SimpleNamespace(**dict(zip(("left", "top", "width", "height"), box, strict=True)))
        self.track_id, self.confidence = 3, 0.9
        self._attributes = {("reid", name): [AttributeMeta("reid", name, value, 1.0)] for name, value in said.items()}

    def get_attr_meta_list(self, element, name):
        return self._attributes.get((element, name))


def drawn(objects, artist):
    clock = SimpleNamespace(creation_timestamp_ns=17)
    return SimpleNamespace(source_id="door", frame_num=3, video_frame=clock, objects=objects, artist=artist)


def sure(box, global_id=7, state="confirmed"):
    return DrawnObject(box, {"global_id": global_id, "state": state, "probability": 0.98})


@pytest.mark.usefixtures("scene")
def test_the_overlay_draws_what_the_attributes_say_and_nobody_else():
    overlay = load("savant_reid.pyfuncs.overlay", "Overlay", condition={"tag": None}, rendered_objects=None)
    artist = Artist()
    people = [sure((10, 20, 30, 90)), sure((100, 20, 30, 90), -1, "provisional"), DrawnObject((0, 0, 640, 360), {})]
    overlay.process_buffer([drawn(people, artist)])
    assert [text for text, _ in artist.texts] == ["7 98%", "..."]
    assert [box for box, _ in artist.boxes] == [(10, 20, 30, 90)]
    assert artist.lines > 10
    assert overlay.condition == {"tag": None}


@pytest.mark.usefixtures("scene")
def test_boxes_beyond_the_picture_are_cut_and_a_broken_frame_costs_no_other():
    overlay = load("savant_reid.pyfuncs.overlay", "Overlay", condition={"tag": None}, rendered_objects=None)
    artist = Artist()
    beyond = [sure((-20, -5, 50, 90)), sure((700, 20, 30, 90)), sure((5, 5, 0.5, 90))]
    overlay.process_buffer([drawn(None, artist), drawn(beyond, artist)])
    assert [box for box, _ in artist.boxes] == [(0, 0, 30, 85)]
    assert overlay._troubles.counts == {("draw", "door"): 1}
