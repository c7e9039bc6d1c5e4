"""Holds a model file against the hash that was verified: the one in verify.json beside it, or in its card.

A file that was built again, retrained or swapped runs without an error and gives other embeddings. Where neither file
knows the model nothing is held against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from savant_reid.errors import ModelError

REPORT, CARD = "verify.json", "card.yml"
OTHERWISE = "or set parameters.local_host.accept_unverified_models to true"


def check_verified(name: str, path: Path, sha256: str) -> None:
    """Raises ModelError where the file at `path`, of this hash, is not the one that was verified."""
    entry = _report_entry(name, path)
    if entry is not None and entry.get("passed") is not True:
        raise ModelError(
            f"{name}: {path}: failed its verification, see {path.with_name(REPORT)}; build it again, {OTHERWISE}"
        )
    source, expected = (REPORT, entry.get("sha256")) if entry is not None else (CARD, _card_sha256(path))
    if expected is not None and expected != sha256:
        text = f"expected SHA-256 {expected}, as {path.with_name(source)} says; found {sha256}"
        raise ModelError(
            f"{name}: {path}: {text}. Verify it (python -m model_builder verify {path.parent.name}), {OTHERWISE}"
        )


def _report_entry(name: str, path: Path) -> Mapping[str, Any] | None:
    report = path.with_name(REPORT)
    if not report.is_file():
        return None
    try:
        entry = json.loads(report.read_text(encoding="utf-8"))["files"].get(path.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{name}: {report}: cannot be read: {error!r}; verify the model again, {OTHERWISE}") from error
    return entry if entry is None or isinstance(entry, Mapping) else {}


def _card_sha256(path: Path) -> str | None:
    """What the card says of this file; a card that cannot be read has been told of when the module was loaded."""
    card = path.with_name(CARD)
    try:
        file = yaml.safe_load(card.read_text(encoding="utf-8")).get("file") if card.is_file() else None
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return None
    if not isinstance(file, Mapping) or file.get("name") != path.name:
        return None
    digest = file.get("sha256")
    return digest if isinstance(digest, str) else None
