"""Holds a model's entry in the module against the card that lies beside the model file.

A wrong colour order or scale makes no error: it only makes everything a little worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from savant_reid.hosts.local.model_schema import DetectorModel, EmbedderModel
from savant_reid.hosts.local.module_tables import CARD
from savant_reid.hosts.local.yaml_lines import KeyPath


def card_problems(model: DetectorModel | EmbedderModel) -> Iterator[tuple[KeyPath, str]]:
    """Where the entry differs from the card: keys below `model`, and texts; none where the file has no card."""
    path = (model.local_path or model.path.parent) / CARD
    if not path.is_file():
        return
    try:
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        yield ("local_path",), f"{path}: cannot be read: {str(error).splitlines()[0]}"
        return
    if _of(card, "file", "name") != model.model_file:
        return
    spec = model.input
    shape = _of(card, "input", "shape")
    expected: list[tuple[KeyPath, Any, Any]] = [
        (("input", "shape"), _channels_first(shape, _of(card, "input", "layout")), list(spec.shape)),
        (("input", "color_format"), _of(card, "input", "color_format"), spec.color_format),
        (("input", "maintain_aspect_ratio"), _of(card, "input", "maintain_aspect_ratio"), spec.maintain_aspect_ratio),
        (("input", "scale_factor"), _of(card, "normalisation", "scale_factor"), spec.scale_factor),
        (("input", "offsets"), _of(card, "normalisation", "offsets"), list(spec.offsets)),
        (("output", "layer_names"), _of(card, "output", "name"), model.output.layer_names[0]),
    ]
    if isinstance(model, DetectorModel):
        classes = _of(card, "output", "classes")
        if isinstance(classes, list):
            expected.append((("output", "num_detected_classes"), len(classes), model.output.num_detected_classes))
    for key, wanted, found in expected:
        if wanted is not None and not _same(wanted, found):
            yield key, f"expected {wanted!r}, as {path} says; found {found!r}"


def _of(card: Any, *keys: str) -> Any:
    for key in keys:
        card = card.get(key) if isinstance(card, Mapping) else None
    return card


def _channels_first(shape: Any, layout: Any) -> list[Any] | None:
    """(3, height, width) of an input with a batch axis; None where the card does not tell."""
    if not isinstance(shape, Sequence) or len(shape) != 4:
        return None
    return [shape[3], shape[1], shape[2]] if layout == "NHWC" else list(shape[1:])


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, float | int) and isinstance(found, float | int):
        return math.isclose(wanted, found, rel_tol=1e-6)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    return bool(wanted == found)
