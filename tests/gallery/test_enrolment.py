from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from savant_reid.errors import DataError, OutputError
from savant_reid.gallery.enrolment import Enrolled, EnrolledPerson, check_name, load_enrolled, save_enrolled


def person(name, count=2, global_id=None, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return EnrolledPerson(name, rows, global_id, ("door",) + (None,) * (count - 1), ("picture a.jpg",) * count)


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "people.parquet"
    save_enrolled(path, Enrolled("m", ()).with_person(person("Bo", 2)).with_person(person("Änne", 1, 7, seed=1)))
    found = load_enrolled(path)
    assert found.model == "m"
    assert [(one.name, one.global_id, one.cameras, one.sources) for one in found.people] == [
        ("Bo", None, ("door", None), ("picture a.jpg",) * 2),
        ("Änne", 7, ("door",), ("picture a.jpg",)),
    ]
    np.testing.assert_array_equal(found.people[0].embeddings, person("Bo", 2).embeddings)
    assert found.people[0].embeddings.dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["people.parquet"]


def test_the_file_says_what_it_is(tmp_path):
    save_enrolled(tmp_path / "p", Enrolled("model-1", (person("a"),)))
    schema = pq.read_schema(tmp_path / "p")
    assert schema.metadata == {b"savant_reid_schema": b"savant-reid/enrolled/1", b"embedding_model": b"model-1"}
    assert schema.names == ["name", "global_id", "camera", "embedding", "source"]


def test_more_of_somebody_is_added_and_a_name_can_go():
    enrolled = Enrolled("m", (person("a"), person("b"))).with_person(person("a", 3, 5, seed=2))
    assert [(one.name, len(one), one.global_id) for one in enrolled.people] == [("a", 5, 5), ("b", 2, None)]
    assert len(enrolled.people[0].cameras) == len(enrolled.people[0].sources) == 5
    assert [one.name for one in enrolled.without("a").people] == ["b"]


def test_nobody_left_is_a_file_too(tmp_path):
    save_enrolled(tmp_path / "p", Enrolled("m", ()))
    assert load_enrolled(tmp_path / "p") == Enrolled("m", ())


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "\x1b[31m", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(DataError, match="expected a name of 1 to 200 printable characters"):
        check_name(name)


def write(path, embeddings, schema=b"savant-reid/enrolled/1", names=None):
    n = len(embeddings)
    table = pa.table(
        {
            "name": pa.array(["a"] * n),
            "global_id": pa.array([None] * n, pa.int64()),
            "camera": pa.array([None] * n, pa.string()),
            "embedding": pa.array(embeddings, pa.list_(pa.float32())),
            "source": pa.array(["x"] * n),
        }
    )
    table = table if names is None else table.rename_columns(names)
    pq.write_table(table.replace_schema_metadata({"savant_reid_schema": schema, "embedding_model": "m"}), path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings": [[1.0, 2.0], [1.0]]}, r"embeddings of one length, found \[1, 2\]"),
        ({"embeddings": [None]}, r"embeddings of one length, found \[0\]"),
        ({"embeddings": [[1.0, float("nan")]]}, "not all zero; found a broken one"),
        ({"embeddings": [[0.0, 0.0]]}, "not all zero; found a broken one"),
        ({"embeddings": [[1.0]], "schema": b"savant-reid/sightings/1"}, "found savant-reid/sightings/1"),
        ({"embeddings": [[1.0]], "names": list("abcde")}, "expected the columns name, global_id"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, arguments, message):
    write(tmp_path / "p", **arguments)
    with pytest.raises(DataError, match=message):
        load_enrolled(tmp_path / "p")


def test_what_is_no_enrolment_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="found no such file"):
        load_enrolled(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="expected an enrolment file in Parquet"):
        load_enrolled(tmp_path / "text")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="none/p: cannot be written"):
        save_enrolled(tmp_path / "none" / "p", Enrolled("m", ()))
