"""A recording larger than memory is replayed in little of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scenes import CAMERAS, FRAME_NS, write_site

from savant_reid.replay.frames import FrameGatherer
from savant_reid.replay.recording import open_recording
from savant_reid.replay.rows import read_rows
from savant_reid.replay.scan import scan
from savant_reid.sinks.sightings import sightings_schema

PEOPLE = 20
MIB = 1 << 20


def write_dense(path, frames, dimension, group_rows, by_camera=False):
    """Everybody stands before every camera, with an embedding in every frame; so little of them is seen (a low
    confidence) that the core does not spend long on them."""
    schema = sightings_schema("osnet-demo")
    looks = np.random.default_rng(0).normal(size=(PEOPLE, dimension)).astype(np.float32)
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["camera"]) as writer:
        moments = [(c, f) for f in range(frames) for c in CAMERAS]
        moments = sorted(moments) if by_camera else moments
        waiting = []
        for camera, frame in moments:
            offsets = np.arange(PEOPLE + 1, dtype=np.int32) * dimension
            columns = [
                pa.array([camera] * PEOPLE),
                *(pa.array([number] * PEOPLE, pa.int64()) for number in (frame, frame * FRAME_NS)),
                pa.array(np.arange(PEOPLE)),
                pa.array(np.arange(PEOPLE) * 30, pa.float32()),
                *(pa.array([number] * PEOPLE, pa.float32()) for number in (50, 25, 100, 0.05)),
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(looks.ravel())),
            ]
            waiting.append(pa.record_batch(columns, schema))
            if len(waiting) * PEOPLE >= group_rows or (camera, frame) == moments[-1]:
                writer.write_table(pa.Table.from_batches(waiting), row_group_size=group_rows)
                waiting = []
    return path


@pytest.mark.parametrize("group_rows", [2_000, 10**6], ids=["small row groups", "one row group"])
def test_only_a_few_rows_are_alive(tmp_path, group_rows):
    path = write_dense(tmp_path / "r.parquet", 300, 512, group_rows)
    assert path.stat().st_size > 35 * MIB
    before, most = pa.total_allocated_bytes(), 0
    recording = open_recording(path)
    found = scan(recording, CAMERAS, "site.yml")
    rows = read_rows(recording, {name: i for i, name in enumerate(CAMERAS)}, Counter())
    count = 0
    for frame in FrameGatherer(CAMERAS, found.sizes, Counter()).gather(rows):
        count += len(frame.sightings)
        most = max(most, pa.total_allocated_bytes() - before)
    assert count == 300 * 3 * PEOPLE
    assert most < 25 * MIB


# The peak of a process counts everything: Python, NumPy, pyarrow and the core alone take about 200 MiB. Measured: 210
# as recorded, 416 to 420 sorted by camera; who held the whole file would take more than 270 on top of either.
_MEASURED = """
import sys
from pathlib import Path
from savant_reid.process_memory import peak_mib
from savant_reid.replay.replay import ReplayRequest, replay
replay(ReplayRequest(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
print(int(peak_mib()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("by_camera", [False, True], ids=["recorded", "sorted by camera"])
def test_the_peak_of_a_whole_replay(tmp_path, by_camera):
    path = write_dense(tmp_path / "r.parquet", 600, 2048, 2_000, by_camera)
    assert path.stat().st_size > 270 * MIB
    small = {"site": "s", "cameras": {name: {} for name in CAMERAS}, "identity": {"capacity": 100}}
    site = write_site(tmp_path / "site.yml", small)
    command = [sys.executable, "-c", _MEASURED, str(path), str(tmp_path / "out"), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 460
