"""metrics.json: what a run did and what it cost, in one object."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from savant_reid.whole_files import replacing

SCHEMA = "savant-reid/metrics/1"


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Writes all or nothing: readers see the old file or the whole new one. NaN and Inf become null."""
    text = json.dumps(plain({**metrics, "schema": SCHEMA}), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """Plain ints, floats, strings, lists and dicts, whatever NumPy scalars or arrays came in."""
    if isinstance(value, Mapping):
        return {str(getattr(key, "value", key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
