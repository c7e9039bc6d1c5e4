"""What a recording may look like, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scenes import CAMERAS, DIMENSION, live_frames, table, write

from savant_reid.errors import DataError
from savant_reid.replay.columns import REQUIRED
from savant_reid.replay.recording import open_recording
from savant_reid.replay.rows import read_rows
from savant_reid.replay.scan import scan
from savant_reid.replay.sorting import sort_by_time

FOUND = table(live_frames(people=2, seconds=25))
INDEX = {name: i for i, name in enumerate(CAMERAS)}


def read(path):
    """Everything that is read before and while a recording is replayed."""
    from collections import Counter

    recording = open_recording(path)
    scan(recording, CAMERAS, "site.yml")
    refused = Counter()
    return list(read_rows(recording, INDEX, refused)), refused


def cast(name, kind):
    at = FOUND.column_names.index(name)
    column = FOUND[name].combine_chunks()
    values = pa.array(column.to_pylist(), kind) if pa.types.is_fixed_size_list(kind) else column.cast(kind)
    return FOUND.set_column(at, name, values)


ACCEPTED = [
    ("camera", pa.large_string()),
    ("camera", pa.dictionary(pa.int32(), pa.string())),
    ("frame", pa.int32()),
    ("time_ns", pa.uint64()),
    ("track_id", pa.int16()),
    ("left", pa.float64()),
    ("confidence", pa.float64()),
    ("embedding", pa.large_list(pa.float32())),
    ("embedding", pa.list_(pa.float64())),
    ("embedding", pa.list_(pa.float32(), DIMENSION)),
    ("embedding", pa.list_(pa.float64(), DIMENSION)),
]


@pytest.mark.parametrize(("name", "kind"), ACCEPTED, ids=[f"{name}-{kind}" for name, kind in ACCEPTED])
def test_types_that_mean_the_same(tmp_path, name, kind):
    (expected,), _ = read(write(tmp_path / "plain.parquet", FOUND))
    (rows,), refused = read(write(tmp_path / "other.parquet", cast(name, kind)))
    assert not refused
    for field in ("camera", "frame", "time_ns", "track_id", "boxes", "confidences", "embedding_of", "embeddings"):
        np.testing.assert_array_equal(getattr(rows, field), getattr(expected, field))
        assert getattr(rows, field).dtype == getattr(expected, field).dtype


def test_further_columns_and_any_order_of_columns(tmp_path):
    found = FOUND.append_column("note", pa.array(["x"] * FOUND.num_rows)).select(
        [*reversed(FOUND.column_names), "note"]
    )
    (rows,), _ = read(write(tmp_path / "r.parquet", found))
    assert len(rows) == FOUND.num_rows


def test_no_embeddings_at_all(tmp_path):
    for column in (pa.nulls(FOUND.num_rows), pa.nulls(FOUND.num_rows, pa.list_(pa.float32()))):
        found = FOUND.set_column(FOUND.column_names.index("embedding"), "embedding", column)
        (rows,), _ = read(write(tmp_path / "r.parquet", found))
        assert (rows.embedding_of == -1).all()
        assert rows.embeddings.shape == (0, 0)


def with_value(name, value, kind=None):
    values = FOUND[name].to_pylist()
    values[3] = value
    return FOUND.set_column(
        FOUND.column_names.index(name), name, pa.array(values, kind or FOUND.schema.field(name).type)
    )


def ragged():
    lists = [None if i % 2 else [1.0] * (8 + i % 3) for i in range(FOUND.num_rows)]
    return FOUND.set_column(9, "embedding", pa.array(lists, pa.list_(pa.float32())))


REFUSED = [
    (FOUND.drop_columns(["embedding"]), "expected the columns camera, frame.*found no embedding"),
    (FOUND.set_column(0, "camera", pa.array(range(FOUND.num_rows))), "camera: expected string, found int64"),
    (FOUND.set_column(1, "frame", FOUND["frame"].cast(pa.float64())), "frame: expected int64 .*found double"),
    (FOUND.set_column(4, "left", FOUND["frame"].cast(pa.string())), "left: expected float32 .*found string"),
    (FOUND.set_column(9, "embedding", FOUND["left"]), "embedding: expected list of float32 .*found float"),
    (with_value("camera", None), "camera: expected a value in every row, found 1 null"),
    (with_value("track_id", None), "track_id: expected a value in every row, found 1 null"),
    (with_value("time_ns", 2**63 + 5, pa.uint64()), "time_ns: expected int64, found uint64 that does not fit"),
    (ragged(), "embedding: expected one length, found .* of length 8, .* of length"),
    (FOUND.replace_schema_metadata({}), "expected the name of the embedding model .*found none.*--embedding-model"),
    (
        FOUND.replace_schema_metadata({"embedding_model": "m", "savant_reid_schema": "savant-reid/sightings/9"}),
        "savant_reid_schema: expected savant-reid/sightings/1, found savant-reid/sightings/9",
    ),
]


@pytest.mark.parametrize(("found", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_is_wrong_is_named(tmp_path, found, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "r.parquet", found))


def test_a_null_number_is_a_broken_row_as_pandas_writes_nan_so(tmp_path):
    _, refused = read(write(tmp_path / "r.parquet", with_value("top", None)))
    assert refused == {"box": 1}


def test_a_null_inside_an_embedding_reaches_the_core_as_nan(tmp_path):
    at = next(i for i, one in enumerate(FOUND["embedding"].to_pylist()) if one)
    lists = FOUND["embedding"].to_pylist()
    lists[at][2] = None
    (rows,), _ = read(write(tmp_path / "r.parquet", FOUND.set_column(9, "embedding", pa.array(lists))))
    assert np.isnan(rows.embeddings[0, 2])


def test_the_model_can_be_named_by_the_user(tmp_path):
    path = write(tmp_path / "r.parquet", FOUND.replace_schema_metadata({}))
    assert open_recording(path, "mine").embedding_model == "mine"
    named = write(tmp_path / "named.parquet", FOUND)
    with pytest.raises(DataError, match="expected 'mine' as by --embedding-model, found 'osnet-demo'"):
        open_recording(named, "mine")


def test_parts_of_two_models(tmp_path):
    write(tmp_path / "part-00001.parquet", FOUND)
    write(tmp_path / "part-00002.parquet", table(live_frames(2, 25), model="other"))
    with pytest.raises(DataError, match="embedding_model: expected one model, found 'osnet-demo', 'other'"):
        open_recording(tmp_path)


def test_parts_of_two_kinds(tmp_path):
    write(tmp_path / "part-00001.parquet", FOUND)
    write(tmp_path / "part-00002.parquet", cast("left", pa.float64()))
    with pytest.raises(
        DataError, match=r"part-00002\.parquet: left: expected float as in the parts before, found double"
    ):
        open_recording(tmp_path)


def test_a_folder_of_something_else(tmp_path):
    begun, other = tmp_path / "sightings.parquet", tmp_path / "holidays"
    begun.mkdir()
    assert open_recording(begun).rows == 0
    other.mkdir()
    neither = r"expected sightings.parquet or part-\*.parquet in this folder, found neither"
    with pytest.raises(DataError, match=neither):
        open_recording(other)
    for folder in (begun, other):
        (folder / "holiday.jpg").touch()
        with pytest.raises(DataError, match=neither):
            open_recording(folder)


def test_times_of_no_clock_cannot_be_sorted(tmp_path):
    found = with_value("time_ns", -(2**62))
    found = pa.concat_tables([found, FOUND.slice(0, 1).set_column(2, "time_ns", pa.array([2**62]))])
    path = write(tmp_path / "r.parquet", found)
    with pytest.raises(DataError, match="time_ns: expected nanoseconds of one clock, found"):
        sort_by_time(open_recording(path), INDEX, tmp_path)


def test_no_parquet_at_all(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_bytes(b"camera,frame\n")
    with pytest.raises(DataError, match="expected sightings in Parquet"):
        open_recording(path)
    whole = write(tmp_path / "whole.parquet", FOUND).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="expected sightings in Parquet"):
        open_recording(path)


def test_every_column_is_required(tmp_path):
    for name in REQUIRED:
        with pytest.raises(DataError, match=f"found no {name}"):
            open_recording(write(tmp_path / "r.parquet", FOUND.drop_columns([name])))
