"""calibration.json, for people and programs, and calibration.npz beside it, from which an engine starts."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from savant_reid.calibration.result import SCHEMA, Calibration, Json
from savant_reid.errors import ConfigError, OutputError
from savant_reid.identity.learned import Learned, MetricLessons, Moments, TransitLessons
from savant_reid.identity.transits import BINS
from savant_reid.whole_files import replacing

log = logging.getLogger(__name__)

LEARNED_SCHEMA = "savant-reid/learned/1"


@dataclass(frozen=True)
class Start:
    """What an engine starts from, and which model made the embeddings."""

    path: Path
    embedding_model: str
    learned: Learned

    def check_model(self, model: str) -> None:
        """Raises ConfigError where the embeddings are another model's."""
        if model and model != self.embedding_model:
            raise ConfigError(
                f"identity.calibration: {self.path}: expected embeddings of {self.embedding_model!r}, from which it "
                f"was learned, found {model!r}"
            )


def check_target_file(out: Path) -> None:
    """Raises OutputError where writing would replace something that is no calibration."""
    if out.suffix != ".json":
        raise OutputError(f"--out {out}: expected a name that ends with .json, as the other file ends with .npz")
    beside = out.with_suffix(".npz")
    for path, is_ours in ((out, _is_calibration), (beside, _is_learned)):
        if path.exists() and not is_ours(path):
            raise OutputError(f"{path}: expected nothing or an earlier calibration there, found another file")


def write_calibration(calibration: Calibration, out: Path) -> Json:
    """Writes both files; returns what is in the JSON. Raises OutputError."""
    check_target_file(out)
    learned = _packed(calibration)
    beside = out.with_suffix(".npz")
    document = {
        **calibration.to_json(),
        "learned": {"file": beside.name, "sha256": hashlib.sha256(learned).hexdigest()},
    }
    for path, content in ((beside, learned), (out, (json.dumps(document, indent=1) + "\n").encode())):
        with replacing(path) as temporary:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
    return document


def read_start(path: Path) -> Start:
    """What `savant-reid calibrate` left.

    Raises ConfigError where it is not a calibration, or its two files do not belong together.
    """
    document = _document(path)
    beside = path.with_name(str(document["learned"]["file"]))
    try:
        content = beside.read_bytes()
    except OSError as error:
        raise ConfigError(f"{beside}: expected the other file of {path.name}: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != document["learned"]["sha256"]:
        raise ConfigError(f"{beside}: expected the file that was written together with {path.name}, found another one")
    return _unpacked(content, beside)


def tell_of_cameras(start: Start, cameras: Collection[str]) -> None:
    """Warn of cameras that only the calibration knows, and of those that only the site knows."""
    unknown = [name for name in start.learned.cameras if name not in cameras]
    if unknown:
        log.warning("%s: passed over cameras that the site does not have: %s", start.path, ", ".join(unknown))
    new = [name for name in cameras if name not in start.learned.cameras]
    if new:
        log.warning("%s: cameras that it does not know start cold: %s", start.path, ", ".join(new))


def _document(path: Path) -> dict[str, Any]:
    expected = f"{path}: expected a file that savant-reid calibrate wrote ({SCHEMA})"
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{expected}, found: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{expected}, found: {error}") from error
    found = document.get("schema") if isinstance(document, dict) else type(document).__name__
    if found != SCHEMA:
        raise ConfigError(f"{expected}, found {found!r}")
    learned = document.get("learned")
    if not isinstance(learned, dict) or not {"file", "sha256"} <= set(learned):
        raise ConfigError(f"{path}: learned: expected file and sha256, found {learned!r}")
    return dict(document)


def _packed(calibration: Calibration) -> bytes:
    learned, buffer = calibration.learned, io.BytesIO()
    header = {
        "schema": LEARNED_SCHEMA,
        "embedding_model": calibration.source.embedding_model,
        "dimension": learned.dimension,
        "cameras": list(learned.cameras),
        "moments": list(learned.moments),
    }
    metric, transits = learned.metric, learned.transits
    np.savez_compressed(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        sums=metric.sums,
        counts=metric.counts,
        within=metric.within,
        total=metric.total,
        matches_and_people=np.array([metric.matches, metric.people]),
        moments=np.array(list(learned.moments.values()), np.float64).reshape(-1, 3),
        where=transits.where,
        when=transits.when,
        departures=transits.departures,
    )
    return buffer.getvalue()


def _unpacked(content: bytes, path: Path) -> Start:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays["header"].tobytes())
        _check(header["schema"] == LEARNED_SCHEMA, f"{LEARNED_SCHEMA}, found {header['schema']!r}")
        _check_shapes(arrays, len(header["cameras"]), int(header["dimension"]), len(header["moments"]))
        learned = _learned(header, arrays)
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: expected {LEARNED_SCHEMA}, as savant-reid calibrate writes it: {error}") from error
    return Start(path, str(header["embedding_model"]), learned)


def _learned(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Learned:
    matches, people = arrays["matches_and_people"].tolist()
    return Learned(
        tuple(header["cameras"]),
        MetricLessons(arrays["sums"], arrays["counts"], arrays["within"], matches, arrays["total"], people),
        {name: Moments(*row) for name, row in zip(header["moments"], arrays["moments"].tolist(), strict=True)},
        TransitLessons(arrays["where"], arrays["when"], arrays["departures"]),
    )


def _check_shapes(arrays: dict[str, np.ndarray], cameras: int, dimension: int, moments: int) -> None:
    shapes = {
        "sums": (cameras, dimension),
        "counts": (cameras,),
        "within": (dimension, dimension),
        "total": (dimension, dimension),
        "matches_and_people": (2,),
        "moments": (moments, 3),
        "where": (cameras, cameras),
        "when": (cameras, cameras, BINS),
        "departures": (cameras,),
    }
    for name, shape in shapes.items():
        found = arrays[name]
        _check(found.shape == shape, f"{name} of shape {shape}, found {found.shape}")
        _check(bool(np.isfinite(found).all()), f"{name} to hold numbers only")
        _check(name in ("sums", "within", "total", "moments") or float(found.min(initial=0.0)) >= 0.0, f"{name} >= 0")


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"expected {expected}")


def _is_calibration(path: Path) -> bool:
    try:
        _document(path)
    except ConfigError:
        return False
    return True


def _is_learned(path: Path) -> bool:
    try:
        _unpacked(path.read_bytes(), path)
    except (OSError, ConfigError):
        return False
    return True
