"""Enrolment files: people by name and what they look like; embeddings only, no pictures are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savant_reid.errors import DataError
from savant_reid.gallery.looks import Floats
from savant_reid.whole_files import replacing

SCHEMA_NAME = "savant-reid/enrolled/1"
# The name goes into tables and messages.
MOST_NAME_LENGTH = 200


@dataclass(frozen=True)
class EnrolledPerson:
    """embeddings: (n, D) float32, n >= 1, unit length, as the model gave them (no camera's mean taken away).

    global_id: whom of a run the name was given to, or None. cameras: (n,) which camera of the site took each, None for
    pictures from elsewhere. sources: (n,) where each came from, in words.
    """

    name: str
    embeddings: Floats
    global_id: int | None
    cameras: tuple[str | None, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True)
class Enrolled:
    """model: of all embeddings, as runs name it. people: by name, each once."""

    model: str
    people: tuple[EnrolledPerson, ...]

    def with_person(self, person: EnrolledPerson) -> Enrolled:
        """The same with somebody more, or with more embeddings of somebody; those known already are passed over."""
        known = next((one for one in self.people if one.name == person.name), None)
        if known is not None:
            new = [row for row, one in enumerate(person.embeddings) if not (known.embeddings == one).all(axis=1).any()]
            person = EnrolledPerson(
                person.name,
                np.concatenate([known.embeddings, person.embeddings[new]]),
                known.global_id if person.global_id is None else person.global_id,
                known.cameras + tuple(person.cameras[row] for row in new),
                known.sources + tuple(person.sources[row] for row in new),
            )
        others = [one for one in self.people if one.name != person.name]
        return Enrolled(self.model, tuple(sorted([*others, person], key=lambda one: one.name)))

    def without(self, name: str) -> Enrolled:
        return Enrolled(self.model, tuple(one for one in self.people if one.name != name))


def check_name(name: str) -> str:
    """`name` without spaces around it. Raises DataError for one that is empty, too long or not printable."""
    name = name.strip()
    if not name or len(name) > MOST_NAME_LENGTH or not name.isprintable():
        raise DataError(f"expected a name of 1 to {MOST_NAME_LENGTH} printable characters, found {name[:40]!r}")
    return name


def load_enrolled(path: Path) -> Enrolled:
    """Raises DataError where there is no such file, or where it is no enrolment file or a broken one."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path}: expected an enrolment file, found no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: expected an enrolment file in Parquet, found: {error}") from error
    metadata = table.schema.metadata or {}
    named = metadata.get(b"savant_reid_schema", b"").decode()
    if named != SCHEMA_NAME:
        raise DataError(f"{path}: expected the schema {SCHEMA_NAME}, found {named or 'none'}")
    columns = _schema("").names
    if table.column_names != columns:
        raise DataError(f"{path}: expected the columns {', '.join(columns)}, found {', '.join(table.column_names)}")
    rows: dict[str, list[dict[str, object]]] = {}
    for row in table.to_pylist():
        rows.setdefault(str(row["name"]), []).append(row)
    _check_embeddings(path, [row["embedding"] for each in rows.values() for row in each])
    people = tuple(_person(name, each) for name, each in sorted(rows.items()))
    return Enrolled(metadata.get(b"embedding_model", b"").decode(), people)


def save_enrolled(path: Path, enrolled: Enrolled) -> None:
    """Whole or not at all. Raises OutputError."""
    rows = [
        {"name": one.name, "global_id": one.global_id, "camera": camera, "embedding": embedding, "source": source}
        for one in enrolled.people
        for embedding, camera, source in zip(one.embeddings.tolist(), one.cameras, one.sources, strict=True)
    ]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, _schema(enrolled.model)), temporary)


def _schema(model: str) -> pa.Schema:
    fields = [("name", pa.string()), ("global_id", pa.int64()), ("camera", pa.string())]
    fields += [("embedding", pa.list_(pa.float32())), ("source", pa.string())]
    return pa.schema(fields, metadata={"savant_reid_schema": SCHEMA_NAME, "embedding_model": model})


def _check_embeddings(path: Path, embeddings: Sequence[object]) -> None:
    lengths = {len(one) if isinstance(one, list) else 0 for one in embeddings}
    if len(lengths) > 1 or 0 in lengths:
        raise DataError(f"{path}: expected embeddings of one length, found {sorted(lengths)}")
    values = np.array(embeddings, np.float32)
    if not np.isfinite(values).all() or (len(values) and not values.any(axis=1).all()):
        raise DataError(f"{path}: expected embeddings of numbers, not all zero; found a broken one")


def _person(name: str, rows: Sequence[dict[str, object]]) -> EnrolledPerson:
    ids = [row["global_id"] for row in rows if isinstance(row["global_id"], int)]
    cameras = tuple(row["camera"] if isinstance(row["camera"], str) else None for row in rows)
    embeddings = np.array([row["embedding"] for row in rows], np.float32)
    return EnrolledPerson(name, embeddings, ids[-1] if ids else None, cameras, tuple(str(r["source"]) for r in rows))
