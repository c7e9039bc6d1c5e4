from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sink_records import frame

from savant_reid.errors import DataError
from savant_reid.sinks import sightings as module
from savant_reid.sinks.sightings import SightingsSink, embedding_model, read_sightings, sightings_schema

FRAMES = [frame(n, {1: 4, 2: None}, embed=(2,) if n % 3 == 0 else ()) for n in range(250)]


def written(folder, records=FRAMES):
    sink = SightingsSink(folder, "osnet-demo")
    for record in records:
        sink.write_frame(record)
    return sink


def test_a_closed_run_is_one_file_with_the_contract_columns(tmp_path):
    sink = written(tmp_path)
    sink.close()
    sink.close()
    path = tmp_path / "sightings.parquet"
    assert path.is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["sightings.parquet"]
    table = read_sightings(path)
    door = {"first_frame": 0, "first_ns": 0, "last_frame": 249, "last_ns": 24_900_000_000, "width": 640, "height": 480}
    expected = sightings_schema("osnet-demo", {"door": door})
    assert table.column_names == expected.names
    # Not .equals: Parquet calls a list's child "element", Arrow "item".
    assert table.schema.types[:-1] == expected.types[:-1]
    assert table.schema.metadata == expected.metadata
    assert embedding_model(table) == "osnet-demo"
    assert pq.ParquetFile(path).num_row_groups == 3
    assert table["frame"].to_pylist() == [n for n in range(250) for _ in range(2)]
    embeddings = table["embedding"].to_pylist()
    assert embeddings[1] == list(range(8))
    assert embeddings[0] is None
    assert sum(one is not None for one in embeddings) == 84
    np.testing.assert_allclose(table["left"].to_numpy()[:2], [0, 10.123], rtol=1e-6)


def test_a_run_under_way_can_be_read_by_any_parquet_reader(tmp_path):
    written(tmp_path)
    table = pq.read_table(tmp_path / "sightings.parquet")
    # 25 s in parts of 10 s: the last 5 s are not there yet.
    assert table["frame"].to_pylist()[-1] == 200
    assert table.equals(read_sightings(tmp_path / "sightings.parquet"))
    assert embedding_model(table) == "osnet-demo"


def test_nobody_came(tmp_path):
    written(tmp_path, [frame(0, {})]).close()
    assert read_sightings(tmp_path / "sightings.parquet").num_rows == 0


def test_a_kill_between_the_two_renames_of_the_close(tmp_path):
    written(tmp_path)
    (tmp_path / "sightings.parquet").rename(tmp_path / "sightings.parquet.parts")
    assert read_sightings(tmp_path / "sightings.parquet").num_rows == 402


def test_a_crowd_does_not_wait_for_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 100)
    sink = written(tmp_path, FRAMES[:80])
    assert len(list((tmp_path / "sightings.parquet").iterdir())) == 1
    assert sink._rows < 100


def test_the_number_of_parts_stays_small_in_a_long_run(tmp_path):
    written(tmp_path, [frame(n, {1: 1}, fps=1) for n in range(0, 20_000, 5)])
    assert len(list((tmp_path / "sightings.parquet").iterdir())) < 450


@pytest.mark.parametrize("content", [b"", b"PAR1 but not really"])
def test_what_is_no_parquet_is_a_data_error(tmp_path, content):
    path = tmp_path / "sightings.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"sightings\.parquet: expected sightings in Parquet"):
        read_sightings(path)


KILLED = """
import sys, os, signal
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sink_records import event, frame
from savant_reid.sinks.folder_sink import open_run_sinks
sink = open_run_sinks(Path(sys.argv[1]), "s", "osnet-demo")
for n in range(255):
    sink.write_frame(frame(n, {1: 4, 2: None if n < 9 else 5}, embed=(1,)))
    sink.write_events([event("created", n)] if n % 50 == 0 else [])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_sigkill_leaves_every_file_readable(tmp_path, rows_of):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_sightings(tmp_path / "sightings.parquet")["frame"].to_pylist()[-1] == 200
    for name, least in (("frames.jsonl", 245), ("tracks.csv", 2 * 245), ("identities.jsonl", 6)):
        text = (tmp_path / name).read_text()
        assert text.endswith("\n")
        assert len(text.splitlines()) >= least
    assert set(rows_of(tmp_path).values()) == {4, 5}
    assert os.listdir(tmp_path / "sightings.parquet")


def test_a_run_killed_before_its_first_part_has_no_sightings(tmp_path):
    written(tmp_path, FRAMES[:3])
    table = read_sightings(tmp_path / "sightings.parquet")
    assert table.num_rows == 0
    assert table.column_names == sightings_schema("").names
