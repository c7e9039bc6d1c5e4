"""verify.json and verify.md beside a model: what was checked, and the hash of the file that it holds for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

from model_builder.cards import Card
from model_builder.files import sha256_of, written_whole
from savant_reid.errors import ModelError

if TYPE_CHECKING:  # reading a report needs no PyTorch
    from model_builder.verify import Check, Verification

REPORT, TABLE = "verify.json", "verify.md"
VERSION = 1
COLUMNS = (
    "runtime",
    "batch",
    "pictures",
    "least cosine",
    "lengths differ by",
    "boxes",
    "least overlap",
    "confidences differ by",
    "verdict",
)


def write_report(card: Card, verification: Verification, origin: Mapping[str, str]) -> Path:
    """Writes both files; other models of the same folder keep their entries. origin: of the published file."""
    entry = {
        "passed": verification.passed,
        "precision": verification.precision,
        "checks": [_check(check) for check in verification.checks],
    }
    return _write(card, verification.file, {"sha256": verification.sha256, **entry, "source": dict(origin)})


def add_entry(card: Card, file: Path, entry: Mapping[str, Any], origin: Mapping[str, str]) -> Path:
    """Adds or replaces the entry of a file that `verify` did not make itself: one of INT8, with what that costs."""
    return _write(card, file, {"sha256": sha256_of(file), "checks": [], **entry, "source": dict(origin)})


def _write(card: Card, file: Path, entry: Mapping[str, Any]) -> Path:
    path = file.with_name(REPORT)
    files = read_report(path).get("files", {}) if path.is_file() else {}
    files = {name: old for name, old in files.items() if path.with_name(name).is_file()}
    files[file.name] = {**entry, "versions": versions()}
    content = {"version": VERSION, "model": card.name, "files": dict(sorted(files.items()))}
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")
    with written_whole(path.with_name(TABLE)) as part:
        part.write_text(as_markdown(content))
    return path


def read_report(path: Path) -> dict[str, Any]:
    """Raises ModelError where the file is no report."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("files"), dict):
            return content
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}. Remove it and verify the model again") from error
    raise ModelError(f"{path}: expected a report of verify with 'files'. Remove it and verify the model again")


def versions() -> dict[str, str]:
    """Of what computed the numbers; PyTorch's is absent where only graphs were compared."""
    found = {"onnxruntime": onnxruntime.__version__}
    try:
        import torch
    except ImportError:
        return found
    return found | {"torch": torch.__version__}


def as_markdown(content: Mapping[str, Any]) -> str:
    """The same as a page for people."""
    lines = [f"# {content['model']}: verified files", ""]
    for name, entry in content["files"].items():
        using = ", ".join(f"{tool} {version}" for tool, version in entry["versions"].items())
        lines += [
            f"## {name}: {'passed' if entry['passed'] else 'FAILED'}",
            "",
            f"SHA-256 `{entry['sha256']}`, {entry['precision']}, {using}",
            "",
        ]
        if entry["checks"]:
            lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *map(_line, entry["checks"]), ""]
        if "cost" in entry:
            lines += [f"Calibrated on {entry['calibrated_on']} pictures. Against FP32 on pictures held back:", ""]
            lines += [f"- {name}: {value}" for name, value in entry["cost"].items() if value is not None]
            lines.append("")
    return "\n".join(lines)


def _check(check: Check) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "runtime": check.runtime,
        "batch": check.batch,
        "pictures": check.pictures,
        # JSON has no NaN; none says that there was nothing to compare.
        "cosine": check.cosine if math.isfinite(check.cosine) else None,
        "expected_cosine": check.limits.cosine,
        "length_difference": check.length if math.isfinite(check.length) else None,
        "passed": check.passed,
    }
    if check.boxes is not None:
        entry |= {
            "boxes": check.boxes.boxes,
            "overlap": check.boxes.overlap,
            "expected_overlap": check.limits.overlap,
            "score_difference": check.boxes.score,
            "expected_score_difference": check.limits.score,
        }
    return entry


def _line(check: Mapping[str, Any]) -> str:
    cells = [check["runtime"], str(check["batch"]), str(check["pictures"])]
    cells.append(f"{_number(check['cosine'], 7)} (>= {check['expected_cosine']})")
    cells.append(_number(check["length_difference"], 6))
    if "boxes" in check:
        cells += [str(check["boxes"]), f"{_number(check['overlap'], 4)} (>= {check['expected_overlap']})"]
        cells.append(f"{_number(check['score_difference'], 6)} (<= {check['expected_score_difference']})")
    else:
        cells += ["-"] * 3
    return f"| {' | '.join((*cells, 'passed' if check['passed'] else 'FAILED'))} |"


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"
