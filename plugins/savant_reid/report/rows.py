"""tracks.csv and truth.csv as columns."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from savant_reid.errors import DataError

_FLOATS = ("left", "top", "width", "height")
_COLUMNS = {
    "camera": pa.string(),
    "frame": pa.int64(),
    "global_id": pa.int64(),
    **dict.fromkeys(_FLOATS, pa.float64()),
    "time_ns": pa.int64(),
}


@dataclass(frozen=True)
class Rows:
    """Boxes of people, (n,) each; `camera` indexes `cameras`; boxes (n, 4) ltwh in pixels."""

    cameras: tuple[str, ...]
    camera: np.ndarray
    frame: np.ndarray
    global_id: np.ndarray
    boxes: np.ndarray
    time_ns: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, chosen: np.ndarray) -> Rows:
        """chosen: row numbers, or a mask."""
        columns = (self.camera, self.frame, self.global_id, self.boxes, self.time_ns)
        camera, frame, global_id, boxes, time_ns = (column[chosen] for column in columns)
        return Rows(self.cameras, camera, frame, global_id, boxes, time_ns)


def no_rows() -> Rows:
    empty = np.zeros(0, np.int64)
    return Rows((), empty, empty, empty, np.zeros((0, 4)), empty)


def read_rows(path: Path) -> Rows:
    """Whole lines only: what a killed run left of its last line is passed over.

    Raises DataError when the file is not in the contract's columns.
    """
    text = path.read_bytes()
    text = text[: text.rfind(b"\n") + 1]
    if text.count(b"\n") < 2:
        return no_rows()
    try:
        table = pacsv.read_csv(
            io.BytesIO(text),
            parse_options=pacsv.ParseOptions(invalid_row_handler=lambda _: "skip"),
            convert_options=pacsv.ConvertOptions(column_types=_COLUMNS, include_columns=list(_COLUMNS)),
        )
    except (pa.ArrowException, KeyError) as error:
        raise DataError(f"{path}: expected the columns {', '.join(_COLUMNS)}, found: {error}") from error
    table = table.drop_null() if any(column.null_count for column in table.columns) else table
    names = tuple(pc.unique(table["camera"]).to_pylist())
    camera = pc.index_in(table["camera"], pa.array(names, pa.string())).to_numpy().astype(np.int64)
    boxes = np.stack([table[name].to_numpy() for name in _FLOATS], axis=1)
    frame, global_id, time_ns = (table[name].to_numpy() for name in ("frame", "global_id", "time_ns"))
    return Rows(names, camera, frame, global_id, boxes, time_ns)
