"""Videos, truth.csv and site.yml on disk."""

from __future__ import annotations

import csv
import threading

import cv2
import numpy as np
import pytest
import yaml

from simulated_site.encode import VideoError, VideoWriter
from simulated_site.render import render_frame
from simulated_site.site import make_site
from simulated_site.write import SiteWriteError, write_site

HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    site = make_site(2, cameras=3, people=9, seconds=3)
    counts = []
    files = write_site(tmp_path_factory.mktemp("site"), site, progress=counts.append)
    return site, files, counts


def _frames(path):
    video = cv2.VideoCapture(str(path))
    out = []
    while True:
        good, image = video.read()
        if not good:
            return out
        out.append(image)


def test_videos_have_every_frame_and_look_like_it(written):
    site, files, counts = written
    assert sum(counts) == site.frames * len(site.cameras)
    for name, path in files.videos.items():
        frames = _frames(path)
        assert len(frames) == site.frames
        drawn, _ = render_frame(site, name, 17)
        # H.264 loses noise and some colour; a frame that is off by one would differ where people move.
        assert np.abs(frames[17].astype(int) - drawn).mean() < 8


def test_truth_is_what_rendering_says(written):
    site, files, _ = written
    lines = files.truth.read_text().splitlines()
    assert lines[0] == HEADER
    rows = [(r["camera"], int(r["frame"]), int(r["global_id"])) for r in csv.DictReader(lines)]
    names = list(site.cameras)
    assert rows == sorted(rows, key=lambda row: (row[1], names.index(row[0])))
    expected = {
        (r.camera, r.frame, r.global_id) for n in names for f in range(site.frames) for r in render_frame(site, n, f)[1]
    }
    assert set(rows) == expected
    assert len(rows) == len(expected)


def test_site_file_points_at_the_videos(written):
    _, files, _ = written
    document = yaml.safe_load(files.site.read_text())
    for name, camera in document["cameras"].items():
        assert files.site.parent / camera["source"] == files.videos[name]
        assert len(camera["plan"]) == 2
    assert document["overlaps"] == []
    assert document["identity"]["policy"] == "open_set"
    for row in document["transitions"]:
        assert 0 < row["seconds"][0] < row["seconds"][1]


def test_same_seed_same_files(written, tmp_path):
    site, files, _ = written
    again = write_site(tmp_path, make_site(2, cameras=3, people=9, seconds=3), processes=1)
    assert again.truth.read_bytes() == files.truth.read_bytes()
    assert again.site.read_bytes() == files.site.read_bytes()
    first = next(iter(site.cameras))
    np.testing.assert_array_equal(_frames(again.videos[first]), _frames(files.videos[first]))


def test_a_video_that_fails_is_removed(tmp_path):
    path = tmp_path / "v.mp4"
    with pytest.raises(ValueError, match="expected"), VideoWriter(path, 64, 48, 10) as writer:
        writer.write(np.zeros((10, 10, 3), np.uint8))
    assert not path.exists()


def test_a_site_that_the_disk_does_not_take_is_told_in_one_line(tmp_path):
    site = make_site(2, cameras=1, people=2, seconds=4)
    [camera] = site.cameras
    (tmp_path / f"{camera}.mp4").symlink_to("/dev/full")
    with pytest.raises(SiteWriteError, match=rf"rendering ended with 1: .*{camera}\.mp4: No space left") as told:
        write_site(tmp_path, site)
    assert "Traceback" not in str(told.value)


def test_a_folder_that_is_absent_is_named(tmp_path):
    with (
        pytest.raises(VideoError, match="absent"),
        VideoWriter(tmp_path / "absent" / "v.mp4", 64, 48, 10) as writer,
    ):
        writer.write(np.zeros((48, 64, 3), np.uint8))


def test_a_full_disk_ends_the_writing(tmp_path):
    path = tmp_path / "v.mp4"
    path.symlink_to("/dev/full")
    told = []

    def write():
        noise = np.random.default_rng(0)
        try:
            with VideoWriter(path, 320, 240, 10) as writer:
                for _ in range(200):
                    writer.write(noise.integers(0, 255, (240, 320, 3), np.uint8))
        except VideoError as error:
            told.append(str(error))

    # A thread that can be left alone: a writer that waits for ever would hold up all tests.
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(120)
    assert told
    assert told[0].startswith(f"{path}: ")
    assert not path.is_symlink()
