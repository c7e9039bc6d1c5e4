"""`savant-reid calibrate` on a simulated site: its files, its honesty about strangers, and careless users."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

import savant_reid.sinks
from savant_reid.calibration import measure
from savant_reid.calibration.files import read_start
from savant_reid.calibration.gathering import Gathering
from savant_reid.calibration.measure import false_positives, labelled_tracks
from savant_reid.calibration.result import Source, calibration_of
from savant_reid.cli import main
from savant_reid.errors import ConfigError
from savant_reid.pyfuncs import shared
from savant_reid.site import load_site
from savant_reid.site_copy import moved_site
from savant_reid.site_learned import load_learned
from savant_reid.testing.writer import site_of

SCHEMA = Path(savant_reid.sinks.__file__).parent / "schemas" / "calibration.json"


def calibrate(*arguments):
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)])


@pytest.fixture(scope="module")
def calibrated(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("calibrated") / "calibration.json"
    result = calibrate(folder / "sightings.parquet", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    return out


def changed(folder, path, **columns):
    """The recording with other columns; its site beside it."""
    path.mkdir()
    found = pq.read_table(folder / "sightings.parquet")
    for name, change in columns.items():
        found = found.set_column(found.column_names.index(name), found.schema.field(name), change(found))
    pq.write_table(found, path / "sightings.parquet")
    (path / "site.yml").write_bytes((folder / "site.yml").read_bytes())
    return path / "sightings.parquet"


def some(folder, path, keep):
    """The rows of the recording that `keep` says."""
    path.mkdir()
    found = pq.read_table(folder / "sightings.parquet")
    pq.write_table(found.filter(pa.array(keep(found))), path / "sightings.parquet")
    (path / "site.yml").write_bytes((folder / "site.yml").read_bytes())
    return path / "sightings.parquet"


def site_file(path, calibration, **changes):
    site = {"site": "s", "cameras": {f"cam-0{n}": {} for n in (1, 2, 3, 4)}, **changes}
    path.write_text(yaml.safe_dump({**site, "identity": {"calibration": str(calibration)}}))
    return path


def test_the_file_keeps_its_schema_and_names_every_pair_of_cameras(calibrated):
    document = json.loads(calibrated.read_text())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["cameras"] == ["cam-01", "cam-02", "cam-03", "cam-04"]
    assert [tuple(p["cameras"]) for p in document["pairs"]] == [
        (a, b) for i, a in enumerate(document["cameras"]) for b in document["cameras"][i:]
    ]
    assert document["recording"]["name"] == "sightings.parquet"
    assert document["embedding_model"] == "simulated/D64"
    assert 0.05 < document["site"]["threshold"] < document["site"]["met_again"]["mean"]


def test_the_same_recording_gives_the_same_bytes(folder, calibrated, tmp_path):
    out = tmp_path / "calibration.json"
    assert calibrate(folder / "sightings.parquet", "--out", out).exit_code == 0
    assert out.read_bytes() == calibrated.read_bytes()
    assert out.with_suffix(".npz").read_bytes() == calibrated.with_suffix(".npz").read_bytes()


def test_the_table_shows_the_site_and_its_pairs(folder, tmp_path):
    result = calibrate(folder / "sightings.parquet", "--out", tmp_path / "c.json", "--target-fpir", "0.05")
    assert result.exit_code == 0, result.output
    assert "the whole site" in result.stdout
    assert "cam-01 - cam-04" in result.stdout


def test_strangers_of_later_pass_about_as_often_as_asked(recording):
    """Thresholds from the first half, people of the second half. A small site errs upwards: its tail is extended."""
    moments = list(recording.moments())
    half = len(moments) // 2
    topology = site_of(recording).topology()
    gathered = Gathering(topology).take_all(moment.sightings for moment in moments[:half])
    source = Source("first half", "simulated/D64", 0, 1, 1)
    calibration = calibration_of(gathered, topology, source, 0.05)
    rates = false_positives(calibration, labelled_tracks(moments[half:], topology), topology)
    assert 0.05 / 4 < rates["all"].rate < 0.05 * 2
    assert rates["all"].strangers > 1000


def test_no_embedding_of_anybody_is_in_the_files(calibrated):
    with np.load(calibrated.with_suffix(".npz")) as file:
        shapes = {name: file[name].shape for name in file.files}
    assert max(len(shape) for shape in shapes.values()) <= 3
    assert shapes["sums"] == (4, 64)
    assert shapes["moments"][1] == 3
    assert shapes["within"] == shapes["total"] == (64, 64)


def test_a_resolver_of_the_site_starts_from_it(calibrated, tmp_path):
    path = site_file(tmp_path / "site.yml", calibrated)
    try:
        resolver = shared.resolver_for(path)
        learned = load_learned(load_site(path))
        assert learned is not None
        np.testing.assert_array_equal(resolver.transits.where_counts, learned.transits.where)
        assert resolver.transits.where_counts.sum() > 10
    finally:
        shared.forget(path)


def test_replay_starts_from_it_and_the_copied_site_file_still_finds_it(folder, calibrated, tmp_path):
    path = site_file(tmp_path / "site.yml", calibrated)
    out = tmp_path / "run"
    arguments = ["replay", str(folder / "sightings.parquet"), "--site", str(path), "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert load_site(out / "site.yml").calibration_path.resolve() == calibrated.resolve()


def test_a_site_file_that_moves_takes_its_calibration_along(tmp_path):
    (tmp_path / "cal.json").write_text("{}")
    site = load_site(site_file(tmp_path / "site.yml", "cal.json"))
    assert moved_site(site, tmp_path, tmp_path / "elsewhere").calibration_path == tmp_path / "cal.json"


def test_cameras_that_only_one_of_the_two_knows_are_told_of(calibrated, tmp_path, caplog):
    path = site_file(tmp_path / "site.yml", calibrated, cameras={"cam-01": {}, "cam-04": {}, "new": {}})
    learned = load_learned(load_site(path))
    assert learned is not None
    assert "does not have: cam-02, cam-03" in caplog.text
    assert "start cold: new" in caplog.text


def test_another_model_is_refused_by_name(folder, calibrated, tmp_path):
    site = load_site(site_file(tmp_path / "site.yml", calibrated))
    with pytest.raises(ConfigError, match=r"expected embeddings of 'simulated/D64'.*found 'osnet'"):
        load_learned(site, "osnet")
    table = pq.read_table(folder / "sightings.parquet")
    other = table.replace_schema_metadata({**table.schema.metadata, b"embedding_model": b"osnet"})
    pq.write_table(other, tmp_path / "other.parquet")
    arguments = ["replay", str(tmp_path / "other.parquet"), "--site", str(tmp_path / "site.yml")]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "found 'osnet'" in result.output
    assert not (tmp_path / "run" / "tracks.csv").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [("{}", "found None"), ("[]", "found 'list'"), ("{", "found: Expecting"), ('{"schema": "x"}', "found 'x'")],
)
def test_another_file_is_no_calibration(tmp_path, text, found):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"expected a file that savant-reid calibrate wrote") as error:
        read_start(path)
    assert found in str(error.value)


def test_a_calibration_that_is_not_there_is_named_with_its_line(tmp_path):
    with pytest.raises(
        ConfigError, match=r"site.yml:\d+: identity.calibration: expected a calibration .* found none at"
    ):
        load_site(site_file(tmp_path / "site.yml", "nothing.json"))


def test_the_two_files_belong_together(calibrated, tmp_path):
    for path in (calibrated, calibrated.with_suffix(".npz")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert read_start(tmp_path / calibrated.name).learned.dimension == 64
    beside = tmp_path / "calibration.npz"
    beside.write_bytes(beside.read_bytes()[:-10])
    with pytest.raises(ConfigError, match=r"calibration.npz: expected the file that was written together with"):
        read_start(tmp_path / calibrated.name)
    beside.unlink()
    with pytest.raises(ConfigError, match=r"calibration.npz: expected the other file of calibration.json"):
        read_start(tmp_path / calibrated.name)


@pytest.mark.parametrize("target", ["0", "1", "2", "-0.1", "nan"])
def test_a_rate_that_is_none_is_refused(folder, tmp_path, target):
    result = calibrate(folder / "sightings.parquet", f"--target-fpir={target}", "--out", tmp_path / "c.json")
    assert result.exit_code == 1
    assert "expected a rate above 0 and below 1" in result.output
    assert not (tmp_path / "c.json").exists()


def test_a_recording_without_embeddings(folder, tmp_path):
    def none(found):
        return pa.nulls(len(found), found.schema.field("embedding").type)

    result = calibrate(changed(folder, tmp_path / "r", embedding=none), "--out", tmp_path / "c.json")
    assert result.exit_code == 1
    assert "expected embeddings to learn from, found none in" in result.output


def test_a_recording_with_too_few_people(folder, tmp_path):
    def two(found):
        return np.isin(found["track_id"].to_numpy(), found["track_id"].to_numpy()[:2])

    result = calibrate(some(folder, tmp_path / "r", two), "--out", tmp_path / "c.json")
    assert result.exit_code == 1
    assert "expected at least 50 pairs of people visible at once" in result.output
    assert "record longer" in result.output
    assert not (tmp_path / "c.json").exists()


def test_a_recording_of_one_camera_has_its_own_threshold_and_says_what_is_missing(folder, tmp_path):
    path = some(folder, tmp_path / "r", lambda found: np.array(found["camera"].to_pylist()) == "cam-02")
    result = calibrate(path, "--out", tmp_path / "c.json", "--json")
    assert result.exit_code == 0, result.output
    sources = {tuple(p["cameras"]): p["source"] for p in json.loads(result.stdout)["pairs"]}
    assert sources["cam-02", "cam-02"] == "scaled"
    assert sources["cam-01", "cam-02"] == "site"
    assert "camera cam-01: nobody was seen there" in result.stderr


def test_a_rate_rarer_than_what_was_seen_is_a_guess_and_said_to_be(folder, tmp_path):
    result = calibrate(folder, "--target-fpir", "1e-6", "--out", tmp_path / "c.json", "--json")
    assert result.exit_code == 0, result.output
    assert "guesses; expected at least 1000000 pairs" in result.stderr
    assert json.loads(result.stdout)["recording"]["name"] == folder.name


def test_a_camera_that_the_site_does_not_know(folder, tmp_path):
    site = site_file(tmp_path / "site.yml", "x", cameras={"cam-01": {}})
    site.write_text(site.read_text().replace("calibration: x", "policy: open_set"))
    result = calibrate(folder / "sightings.parquet", "--site", site, "--out", tmp_path / "c.json")
    assert result.exit_code == 1
    assert "expected cam-02, cam-03, cam-04 among them" in result.output


def test_no_file_of_the_user_is_replaced(folder, tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    result = calibrate(folder / "sightings.parquet", "--out", mine)
    assert result.exit_code == 1
    assert "expected nothing or an earlier calibration there" in result.output
    assert mine.read_text() == "{}"
    assert "ends with .json" in calibrate(folder / "sightings.parquet", "--out", tmp_path / "x.txt").output


def test_a_folder_that_takes_no_file_is_named(folder):
    result = calibrate(folder / "sightings.parquet", "--out", "/proc/calibration.json")
    assert result.exit_code == 1
    assert "--out /proc/calibration.json: nothing can be written there" in result.output


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        ("esay:0", "expected one of the presets easy, real"),
        ("easy:x", "expected PRESET[:SEED[:SECONDS]], found 'easy:x'"),
    ],
)
def test_a_measure_of_nothing_is_refused(recording, said):
    result = CliRunner().invoke(measure.main, [recording])
    assert result.exit_code == 1
    assert said in result.output
    assert CliRunner().invoke(measure.main, []).exit_code == 2


def test_two_cameras_that_see_the_same_floor_are_found_out(folder, tmp_path):
    """Half of cam-01's sightings are said to be cam-02's as well: people seen by both at once look alike."""
    found = pq.read_table(folder / "sightings.parquet")
    cameras = np.array(found["camera"].to_pylist())
    double = found.filter(pa.array(cameras == "cam-01"))
    double = double.set_column(0, "camera", pa.array(["cam-02"] * len(double)))
    double = double.set_column(3, "track_id", pa.array(double["track_id"].to_numpy() + 100_000))
    both = pa.concat_tables([found.filter(pa.array(cameras != "cam-02")), double]).sort_by("time_ns")
    (tmp_path / "r").mkdir()
    pq.write_table(both.replace_schema_metadata(found.schema.metadata), tmp_path / "r" / "sightings.parquet")
    (tmp_path / "r" / "site.yml").write_bytes((folder / "site.yml").read_bytes())
    result = calibrate(tmp_path / "r" / "sightings.parquet", "--out", tmp_path / "c.json")
    assert result.exit_code == 0, result.output
    assert "cameras cam-01 and cam-02" in result.stderr
    assert "name them under overlaps" in result.stderr
