"""Proof that no step changed the numbers: the published network against the file that the module runs.

The file is fed as the local host feeds it, at batch 1, 2 and the largest, with pictures of odd sizes, lying and
standing, in BGR. Embeddings are compared by their cosine; detections also by their boxes after decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_builder.boxes import Agreement, agreement
from model_builder.cards import Card
from model_builder.export import inputs_for, open_session
from model_builder.files import sha256_of
from model_builder.reference import Picture, Reference, pictures
from savant_reid.hosts.local.model_input import Layout, ModelInputTensor
from savant_reid.hosts.local.model_schema import ModelInput

Floats = NDArray[np.float32]
# Input tensor (batch, ...) to output (batch, ...), both float32.
Runtime = Callable[[Floats], Floats]
MAX_BATCH = 8
OWN = "ONNX Runtime"


@dataclass(frozen=True)
class Limits:
    """What counts as the same. length: of embeddings, relative, which a cosine does not see.

    overlap: IoU of a box with its counterpart. score: difference of confidences.
    """

    cosine: float
    length: float
    overlap: float
    score: float


LIMITS: Mapping[str, Limits] = {
    "fp32": Limits(0.9999, 0.001, 0.99, 0.001),
    "fp16": Limits(0.999, 0.01, 0.95, 0.01),
    # What INT8 may lose is not a matter of right or wrong: `evaluate-model` tells it. This only catches a broken file.
    "int8": Limits(0.9, 0.2, 0.5, 0.2),
}


@dataclass(frozen=True)
class Check:
    """One runtime at one batch size: the worst of all pictures. length: relative difference. boxes: of a detector."""

    runtime: str
    batch: int
    pictures: int
    cosine: float
    length: float
    boxes: Agreement | None
    limits: Limits

    @property
    def passed(self) -> bool:
        """Whether all are within the limits; a NaN is not."""
        same = bool(self.cosine >= self.limits.cosine)
        if self.boxes is None:
            return same and bool(self.length <= self.limits.length)
        # A detector that found nothing has shown nothing.
        return (
            same
            and self.boxes.boxes > 0
            and self.boxes.overlap >= self.limits.overlap
            and self.boxes.score <= self.limits.score
        )


@dataclass(frozen=True)
class Verification:
    """All checks of one file. sha256: of the file as it was when it was checked."""

    file: Path
    sha256: str
    precision: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)


def verify(
    card: Card,
    file: Path,
    reference: Reference,
    *,
    precision: str = "fp32",
    max_batch: int = MAX_BATCH,
    images: Sequence[Picture] | None = None,
    further: Mapping[str, Runtime] | None = None,
    further_precision: str | None = None,
) -> Verification:
    """Compares `file` on ONNX Runtime, and `further` runtimes (an engine), with `reference`.

    images: BGR pictures to compare on; None: made ones. further_precision: which limits the further runtimes are held
    to; None: those of `precision`.
    Raises ModelError where the file cannot be run at all.
    """
    digest = sha256_of(file)
    session = open_session(file)
    runtimes: dict[str, Runtime] = {OWN: lambda tensor: session.run(None, inputs_for(session, tensor))[0]}
    runtimes |= further or {}
    images = pictures(max(max_batch, 2)) if images is None else images
    expected = reference(images)
    limits = dict.fromkeys(runtimes, LIMITS[further_precision or precision])
    limits[OWN] = LIMITS[precision]
    checks = [
        _check(card, runtime, run, batch, images, expected, limits[runtime])
        for runtime, run in runtimes.items()
        for batch in _batches(card, max_batch)
    ]
    return Verification(file, digest, precision, tuple(checks))


def host_tensor(card: Card, images: Sequence[Picture]) -> Floats:
    """Pictures as the local host gives them to the model; letterboxed ones padded with 0."""
    spec = ModelInput(
        shape=(3, *card.input.size),
        maintain_aspect_ratio=card.input.maintain_aspect_ratio,
        scale_factor=card.normalisation.scale_factor,
        offsets=card.normalisation.offsets,
        color_format=card.input.color_format,
    )
    return ModelInputTensor(spec, Layout(card.input.layout), len(images)).fill(images)


def _batches(card: Card, largest: int) -> Sequence[int]:
    return sorted({1, 2, largest}) if card.input.dynamic_batch else [1]


def _check(
    card: Card,
    runtime: str,
    run: Runtime,
    batch: int,
    images: Sequence[Picture],
    expected: Floats,
    limits: Limits,
) -> Check:
    found = np.concatenate([np.asarray(run(host_tensor(card, chunk))) for chunk in _chunks(images, batch)])
    if found.shape != expected.shape:
        # A runtime that gives other rows than there are pictures has no cosine.
        return Check(runtime, batch, len(images), float("nan"), float("nan"), None, limits)
    boxes = agreement(card, expected, found) if card.is_detector else None
    return Check(runtime, batch, len(images), *_worst(expected, found), boxes, limits)


def _chunks(images: Sequence[Picture], size: int) -> Iterator[Sequence[Picture]]:
    """The last one may be smaller: a dynamic batch takes it."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _worst(expected: Floats, found: Floats) -> tuple[float, float]:
    """Least cosine of a row with its counterpart, and largest relative difference of their lengths."""
    rows, others = (values.reshape(len(values), -1).astype(np.float64) for values in (expected, found))
    length, other = np.linalg.norm(rows, axis=1), np.linalg.norm(others, axis=1)
    # Two rows of zeros are the same: a detector with its suppression inside that found nothing.
    empty = (length == 0) & (other == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.where(empty, 1.0, (rows * others).sum(axis=1) / (length * other))
        differences = np.where(empty, 0.0, np.abs(other / length - 1.0))
    return float(cosines.min()), float(differences.max())
