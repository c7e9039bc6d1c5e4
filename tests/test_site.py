from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.errors import ConfigError
from savant_reid.identity.topology import Window
from savant_reid.site import load_site, site_document, site_of_cameras
from savant_reid.site_copy import moved_site

GOOD = """\
site: store-12
cameras:
  entrance:
  aisle-1: {source: videos/aisle.mp4, plan: [3.0, 4.5]}
rooms: {hall: [0, 0, 8, 6]}
transitions:
  - {from: entrance, to: aisle-1, seconds: [2, 40], both_ways: true}
overlaps: []
identity: {policy: open_set, target_fpir: 0.02, retention: 90m, capacity: 500}
"""


def load(tmp_path: Path, text: str):
    path = tmp_path / "site.yml"
    path.write_text(text)
    return load_site(path)


def test_a_site_becomes_topology_and_policy(tmp_path):
    site = load(tmp_path, GOOD)
    policy, topology = site.policy(), site.topology()
    assert (policy.target_fpir, policy.retention_s, policy.capacity) == (0.02, 5400.0, 500)
    assert topology.cameras == ["entrance", "aisle-1"]
    assert topology.windows == {(0, 1): Window(2.0, 40.0), (1, 0): Window(2.0, 40.0)}
    assert site.cameras["entrance"].source is None


def test_a_written_site_loads_as_the_same(tmp_path):
    site = load(tmp_path, GOOD)
    (tmp_path / "copy.yml").write_text(site_document(site))
    assert load_site(tmp_path / "copy.yml") == site


def test_names_alone_are_a_site():
    assert list(site_of_cameras(["a", "b"]).topology().cameras) == ["a", "b"]


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("retention: 90m", "retention: soon", r"site.yml:9: identity.retention: expected a duration.*found 'soon'"),
        ("capacity: 500", "capacity: many", r"site.yml:9: identity.capacity: .*found 'many'"),
        ("capacity: 500", "capacity: yes", r"site.yml:9: identity.capacity: expected a number, found True"),
        ("retention: 90m", "retention: on", r"site.yml:9: identity.retention: expected a number, found True"),
        ("[2, 40]", "[no, 40]", r"site.yml:7: transitions.0.seconds.0: expected a number, found False"),
        ("capacity: 500", "capcity: 500", r"site.yml:9: identity.capcity: unknown key"),
        (
            "from: entrance",
            "from: roof",
            r"site.yml:7: transitions.0.from: expected one of the cameras .*found 'roof'",
        ),
        ("[2, 40]", "[40, 2]", r"site.yml:7: transitions.0: expected seconds.*found \(40.0, 2.0\)"),
        ("plan: [3.0, 4.5]", "plan: 3", r"site.yml:4: cameras.aisle-1.plan: .*found 3"),
        ("open_set", "closed", r"site.yml:9: identity.policy: .*'open_set' or 'closed_set', found 'closed'"),
        ("open_set", "closed_set", r"site.yml:9: identity.policy: closed_set: expected identity.enrolled"),
        (
            "open_set",
            "closed_set, enrolled: people.parquet, watchlist: {enrolled: people.parquet}",
            r"site.yml:9: identity.watchlist: expected policy: open_set beside a watchlist",
        ),
        (
            "open_set",
            "open_set, enrolled: p",
            r"site.yml:9: identity.enrolled: expected policy: closed_set .* open_set",
        ),
        (
            "open_set",
            "closed_set, enrolled: none.parquet",
            r"site.yml:9: identity.enrolled: expected an enrolment file .*none.parquet",
        ),
        (
            "open_set",
            "open_set, watchlist: {enrolled: none.parquet}",
            r"site.yml:9: identity.watchlist.enrolled: expected an enrolment file .*none.parquet",
        ),
        ("open_set", "open_set, watchlist: {}", r"site.yml:9: identity.watchlist.enrolled: .*required"),
        (
            "open_set",
            "open_set, watchlist: {enrolled: people.parquet, target_fpir: 0}",
            r"site.yml:9: identity.watchlist.target_fpir: .*greater than 0, found 0",
        ),
        ("target_fpir: 0.02", "target_fpir: 2", r"identity.target_fpir: .*less than 1, found 2"),
        ("site: store-12", "colour: red", r"site.yml:1: site: .*required"),
        ("site: store-12", "site: [", r"expected YAML"),
        (
            "from: entrance",
            "from: aisle-1",
            r"site.yml:7: transitions.0: expected two different cameras, found 'aisle-1'",
        ),
        ("overlaps: []", "overlaps: [[aisle-1, aisle-1]]", r"site.yml:8: overlaps.0: expected two different cameras"),
        ("overlaps: []", "overlaps: [[aisle-1, roof]]", r"site.yml:8: overlaps.0.1: expected one of .*found 'roof'"),
        (
            "overlaps: []",
            "  - {from: aisle-1, to: entrance, seconds: [9, 99]}",
            r"site.yml:8: transitions.1: expected one entry for the walk from 'aisle-1' to 'entrance', found it in "
            r"transitions.0 too",
        ),
        ("  entrance:\n", "  entrance:\n  aisle-1: {}\n", r"site.yml:5: cameras.aisle-1: given twice, first in line 4"),
        (
            "overlaps: []",
            "  - {from: entrance, to: aisle-1, seconds: [2, 40]}",
            r"site.yml:8: transitions.1: expected one entry for the walk from 'entrance' to 'aisle-1'",
        ),
        (
            "overlaps: []",
            "overlaps: [[aisle-1, entrance]]",
            r"site.yml:7: transitions.0: expected seconds to start at 0, as 'entrance' and 'aisle-1' see the same "
            r"floor \(overlaps.0\), found 2",
        ),
        ("[2, 40]", "[-1, 40]", r"site.yml:7: transitions.0: expected seconds.*found \(-1.0, 40.0\)"),
        ("[2, 40]", "[2, 2]", r"site.yml:7: transitions.0: expected seconds.*found \(2.0, 2.0\)"),
        ("overlaps: []", "site: again", r"site.yml:8: site: given twice, first in line 1"),
        ("capacity: 500", "capacity: 1000001", r"site.yml:9: identity.capacity: .*1000000, found 1000001"),
        ("retention: 90m", "retention: .inf", r"site.yml:9: identity.retention: .*finite number"),
        ("[2, 40]", "[2, .nan]", r"site.yml:7: transitions.0.seconds.1: .*finite number"),
        ("  entrance:\n", "  entrance:\n  mosaic:\n", r"site.yml:4: cameras.mosaic: expected another name"),
        ("  entrance:\n", "  entrance:\n  a/b:\n", r"site.yml:4: cameras.a/b: expected a name without '/'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, wrong, right, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, GOOD.replace(wrong, right))


def test_a_walk_between_cameras_that_overlap_may_start_at_once(tmp_path):
    text = GOOD.replace("[2, 40]", "[0, 40]").replace("overlaps: []", "overlaps: [[aisle-1, entrance]]")
    assert load(tmp_path, text).overlaps == [("aisle-1", "entrance")]


def test_a_closed_set_and_a_watchlist_name_their_files(tmp_path):
    (tmp_path / "people.parquet").touch()
    closed = load(tmp_path, GOOD.replace("open_set", "closed_set, enrolled: people.parquet"))
    assert (closed.identity.policy, closed.enrolled_path) == ("closed_set", tmp_path / "people.parquet")
    assert closed.watchlist is closed.watchlist_path is None
    watching = load(tmp_path, GOOD.replace("open_set", "open_set, watchlist: {enrolled: people.parquet}"))
    assert watching.watchlist is not None
    assert (watching.watchlist.target_fpir, watching.watchlist_path) == (0.001, tmp_path / "people.parquet")
    assert watching.enrolled_path is None


@pytest.mark.parametrize(
    "key", ["closed_set, enrolled: people.parquet", "open_set, watchlist: {enrolled: people.parquet}"]
)
def test_a_moved_site_finds_its_enrolment_files(tmp_path, key):
    (tmp_path / "people.parquet").touch()
    site = load(tmp_path, GOOD.replace("open_set", key))
    (tmp_path / "run").mkdir()
    moved = moved_site(site, tmp_path, tmp_path / "run")
    (tmp_path / "run" / "site.yml").write_text(site_document(moved))
    again = load_site(tmp_path / "run" / "site.yml")
    assert again == moved
    assert {again.enrolled_path, again.watchlist_path} == {None, tmp_path / "people.parquet"}


def test_a_file_that_holds_itself_is_refused_and_not_followed_for_ever(tmp_path):
    with pytest.raises(ConfigError, match="transitions"):
        load(tmp_path, GOOD.replace("transitions:\n", "transitions: &all\n  - *all\n"))


def test_a_moved_site_finds_its_videos(tmp_path):
    site = load(tmp_path, GOOD)
    below = moved_site(site, tmp_path / "out" / "site", tmp_path / "out")
    beside = moved_site(site, tmp_path / "here", tmp_path / "there")
    assert below.cameras["aisle-1"].source == "site/videos/aisle.mp4"
    assert beside.cameras["aisle-1"].source == str(tmp_path / "here" / "videos" / "aisle.mp4")
    camera = load(tmp_path, GOOD.replace("videos/aisle.mp4", "rtsp://h/1")).cameras["aisle-1"]
    assert camera.source == "rtsp://h/1"


def test_no_file_and_no_mapping_are_named(tmp_path):
    with pytest.raises(ConfigError, match="can be read"):
        load_site(tmp_path / "none.yml")
    with pytest.raises(ConfigError, match="expected a mapping"):
        load(tmp_path, "- just\n- a list\n")


@pytest.mark.parametrize(
    "camera",
    [
        'entrance: "rtsp://u:hunter2@h/1"',
        "entrance: {source: [rtsp://u:hunter2@h/1]}",
        "entrance: {source: rtsp://u:hunter2@h: x}",
        "entrance: {sauce: 'rtsp://u:hunter 2@h/1'}",
        "[{source: 'rtsp://u:hunter 2@h/1'}]",
    ],
)
def test_a_mistake_beside_a_password_does_not_show_it(tmp_path, camera):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"site: s\ncameras:\n  {camera}\n")
    assert "hunter" not in str(caught.value)
    assert "site.yml" in str(caught.value)
