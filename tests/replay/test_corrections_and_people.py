"""Replays that keep to what people have decided, and with people who are known by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scenes import CAMERAS, SITE, live_frames, table, write, write_site

from savant_reid.cli import main
from savant_reid.errors import ConfigError, DataError
from savant_reid.evaluation.tracks import read_tracks
from savant_reid.gallery.corrections import Corrections, Merge, Split, add_correction, merge_line, split_line
from savant_reid.gallery.enrolment import Enrolled, EnrolledPerson, save_enrolled
from savant_reid.identity.constraints import Span
from savant_reid.replay.replay import ReplayRequest, replay
from savant_reid.site import load_site
from savant_reid.site_corrections import constraints_of
from savant_reid.site_people import load_enrolment

MODEL = "osnet-demo"
SECOND_NS = 1_000_000_000


@pytest.fixture
def recording(tmp_path):
    return write(tmp_path / "sightings.parquet", table())


def identities_of(out):
    """The last identity of each (camera, track)."""
    tracks = read_tracks(out / "tracks.csv")
    columns = (tracks.camera, tracks.track_id, tracks.global_id)
    return {(tracks.cameras[camera], int(track)): int(one) for camera, track, one in zip(*columns, strict=True)}


def events_of(out, kind):
    lines = map(json.loads, (out / "identities.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def whole(camera, track_id):
    return Span(camera, track_id, 0, 1000 * SECOND_NS)


def people_file(path, model=MODEL, names=("Anna", "Bo")):
    """The first of `names` is the first person of the recording, and so on; single pictures from elsewhere."""
    looks = {}
    for _, seen in live_frames():
        for one in seen:
            for i, at in enumerate(one.embedding_of):
                if at >= 0:
                    looks.setdefault((int(one.track_ids[i]) - 1) // len(CAMERAS), []).append(one.embeddings[at])
    people = []
    for person, name in enumerate(names):
        crops = np.stack(looks[person][:3])
        crops /= np.linalg.norm(crops, axis=1, keepdims=True)
        people.append(EnrolledPerson(name, crops, None, (None,) * 3, ("photo.jpg",) * 3))
    save_enrolled(path, Enrolled(model, tuple(people)))
    return path


def test_a_replay_keeps_to_a_merge_and_a_split(tmp_path, recording):
    site = write_site(tmp_path / "site.yml")
    replay(ReplayRequest(recording, tmp_path / "before", site))
    before = identities_of(tmp_path / "before")
    a, one = next(iter(before.items()))
    b, other = next((track, identity) for track, identity in before.items() if identity != one)
    same = [key for key, identity in before.items() if identity == one and key != a]
    file = tmp_path / "corrections.jsonl"
    add_correction(file, merge_line(Merge((one, other), ((whole(*a),), (whole(*b),)))))
    add_correction(file, split_line(Split(one, 99, whole(*same[0]), None, (whole(*a),))))
    done = CliRunner().invoke(
        main, ["replay", str(recording), "--out", str(tmp_path / "after"), "--corrections", str(file)]
    )
    assert done.exit_code == 0, done.output
    after = identities_of(tmp_path / "after")
    assert after[a] == after[b] != after[same[0]]


def test_corrections_beside_a_recording_are_not_taken_silently(tmp_path, recording):
    site = write_site(tmp_path / "site.yml")
    replay(ReplayRequest(recording, tmp_path / "plain", site))
    (tmp_path / "corrections.jsonl").write_text("not for us")
    replay(ReplayRequest(recording, tmp_path / "again", site))
    assert (tmp_path / "plain/tracks.csv").read_bytes() == (tmp_path / "again/tracks.csv").read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "expected a file of corrections, found none"), ("{}", "line 1"), ("elsewhere", "found cellar")],
)
def test_corrections_that_do_not_fit_are_refused_before_anything_is_written(tmp_path, recording, text, expected):
    site, file = write_site(tmp_path / "site.yml"), tmp_path / "mine.jsonl"
    if text == "elsewhere":
        add_correction(file, merge_line(Merge((1, 2), ((whole("cellar", 1),), (whole("door", 1),)))))
    elif text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=expected):
        replay(ReplayRequest(recording, tmp_path / "out", site, corrections=file))
    assert not (tmp_path / "out").exists()


def test_what_a_file_says_in_the_cores_words():
    merge = Merge((1, 2), ((whole("door", 1), whole("till", 3)), (whole("aisle", 2),)))
    split = Split(1, 5, Span("door", 1, 10, 90), 40, (whole("till", 3),))
    found = constraints_of(Corrections((merge,), (split,), (7,)))
    end = 1000 * SECOND_NS
    door, till, aisle = Span("door", 1, 0, end), Span("till", 3, 0, end), Span("aisle", 2, 0, end)
    assert found.merged == ((door, till), (till, aisle))
    assert found.split == ((Span("door", 1, 40, 90), till),)


def test_a_closed_set_in_a_replay(tmp_path, recording):
    people_file(tmp_path / "people.parquet")
    identity = {"policy": "closed_set", "enrolled": "people.parquet"}
    site = write_site(tmp_path / "site.yml", {**SITE, "identity": identity})
    metrics = replay(ReplayRequest(recording, tmp_path / "out", site))
    assert metrics["identity"]["enrolled"] == {"Anna": 1, "Bo": 2}
    assert set(identities_of(tmp_path / "out").values()) == {1, 2, -1}
    assert [(e["global_id"], e["reason"]) for e in events_of(tmp_path / "out", "enrolled")] == [(1, "Anna"), (2, "Bo")]


def test_a_watchlist_in_a_replay(tmp_path, recording):
    people_file(tmp_path / "people.parquet", names=("Anna",))
    identity = {"watchlist": {"enrolled": "people.parquet", "target_fpir": 0.01}}
    site = write_site(tmp_path / "site.yml", {**SITE, "identity": identity})
    replay(ReplayRequest(recording, tmp_path / "out", site))
    named = identities_of(tmp_path / "out")
    assert -1 not in named.values()
    assert {identity for (_, track), identity in named.items() if track <= len(CAMERAS)} == {1}
    assert not {identity for (_, track), identity in named.items() if track > len(CAMERAS)} & {1}


def test_people_enrolled_with_another_model_are_refused_by_name(tmp_path, recording):
    people_file(tmp_path / "people.parquet", model="other-model")
    identity = {"policy": "closed_set", "enrolled": "people.parquet"}
    site = write_site(tmp_path / "site.yml", {**SITE, "identity": identity})
    with pytest.raises(ConfigError, match="model osnet-demo, found other-model"):
        replay(ReplayRequest(recording, tmp_path / "out", site))
    assert not (tmp_path / "out").exists()


def test_ids_of_those_enrolled(tmp_path):
    looks = np.eye(4, dtype=np.float32)
    ids = {"Anna": 2, "Bo": None, "Cy": 2, "Di": None, "Ed": 7}
    people = tuple(EnrolledPerson(n, looks[:1], g, ("door",) if n == "Di" else (None,), ("x",)) for n, g in ids.items())
    save_enrolled(tmp_path / "people.parquet", Enrolled(MODEL, people))
    policy = {"policy": "closed_set", "enrolled": "people.parquet", "capacity": 5}
    site = load_site(write_site(tmp_path / "site.yml", {**SITE, "identity": policy}))
    enrolment = load_enrolment(site, MODEL)
    assert {p.name: p.global_id for p in enrolment.people} == {"Anna": 2, "Bo": 1, "Cy": 3, "Di": 4, "Ed": 7}
    assert [p.cameras for p in enrolment.people] == [(-1,), (-1,), (-1,), (0,), (-1,)]
    small = load_site(write_site(tmp_path / "site.yml", {**SITE, "identity": {**policy, "capacity": 4}}))
    with pytest.raises(ConfigError, match=r"at most identity.capacity \(4\) people, found 5"):
        load_enrolment(small)
    save_enrolled(tmp_path / "people.parquet", Enrolled(MODEL, ()))
    with pytest.raises(ConfigError, match="at least one person"):
        load_enrolment(site)
    assert load_enrolment(load_site(write_site(tmp_path / "site.yml"))) is None
