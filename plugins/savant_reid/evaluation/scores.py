"""How well a result agrees with the truth: over all cameras jointly and per camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from savant_reid.errors import DataError
from savant_reid.evaluation.hota import hota
from savant_reid.evaluation.motmetrics_scores import clear_and_identity
from savant_reid.evaluation.overlap import Identity, find_overlaps
from savant_reid.evaluation.tracks import NONE, Tracks, read_tracks, repeated

Json = dict[str, object]


@dataclass(frozen=True)
class Score:
    """The scores of one sequence, as shares of 1; None where nothing is divided by nothing.

    mota may be negative. id_switches: how often a true person's identity changes. truth_identities, result_identities:
    how many there are; in the result every track without an identity counts as one. truth_boxes, result_boxes: rows.
    shared_ids: rows of the result whose identity somebody else has in the same frame; they count as false identities.
    """

    idf1: float | None
    idp: float | None
    idr: float | None
    hota: float
    deta: float
    assa: float
    mota: float | None
    precision: float | None
    recall: float | None
    id_switches: int
    truth_identities: int
    result_identities: int
    truth_boxes: int
    result_boxes: int
    shared_ids: int

    def to_json(self) -> Json:
        """In the field's own names."""
        return {
            "IDF1": self.idf1,
            "HOTA": self.hota,
            "IDs": self.id_switches,
            "precision": self.precision,
            "recall": self.recall,
            "IDP": self.idp,
            "IDR": self.idr,
            "DetA": self.deta,
            "AssA": self.assa,
            "MOTA": self.mota,
            "truth_identities": self.truth_identities,
            "result_identities": self.result_identities,
            "truth_boxes": self.truth_boxes,
            "result_boxes": self.result_boxes,
            "shared_ids": self.shared_ids,
        }


@dataclass(frozen=True)
class Scores:
    """overall: all cameras one after the other as one sequence, so that a person must keep the identity across cameras.

    cameras: each alone. only_in_truth, only_in_result: cameras of one file; all misses, or all false positives.
    """

    overall: Score
    cameras: Mapping[str, Score]
    only_in_truth: tuple[str, ...]
    only_in_result: tuple[str, ...]


def evaluate(
    truth: Tracks,
    result: Tracks,
    iou_threshold: float = 0.5,
    identity: Identity = "global_id",
    *,
    per_camera: bool = True,
) -> Scores:
    """Score a result.

    iou_threshold: from which boxes may be the same person, in (0, 1]; HOTA has its own 19. identity: what names a
    person in the result: `global_id`, or (camera, `track`), which is what single-camera tracking alone would get.
    A row of the result without a global id belongs to an identity that nobody in the truth shares: its track's own.
    Raises DataError as check_truth does.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"expected an IoU threshold in (0, 1], found {iou_threshold}")
    check_truth(truth)
    names = tuple(dict.fromkeys(truth.cameras + result.cameras)) if per_camera else ()
    return Scores(
        overall=_score(truth, result, iou_threshold, identity, None),
        cameras={name: _score(truth, result, iou_threshold, identity, name) for name in names},
        only_in_truth=tuple(name for name in truth.cameras if name not in result.cameras),
        only_in_result=tuple(name for name in result.cameras if name not in truth.cameras),
    )


def read_truth(path: Path) -> Tracks:
    """A truth file that a result can be compared with; raises DataError."""
    truth = read_tracks(path)
    try:
        check_truth(truth)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return truth


def check_truth(truth: Tracks) -> None:
    """Raises DataError if the truth has no rows, rows without an identity, or an identity twice in a frame."""
    if not len(truth):
        raise DataError("the truth has no rows: there is nothing to compare with")
    if (unknown := int(np.sum(truth.global_id == NONE))) > 0:
        raise DataError(f"the truth has {unknown} of {len(truth)} rows without a global_id; expected one for every row")
    for row, _ in repeated(truth, truth.global_id)[:1]:
        place = f"frame {truth.frame[row]} of {truth.cameras[truth.camera[row]]}"
        raise DataError(f"the truth has global_id {truth.global_id[row]} twice in {place}; expected everybody once")


def _score(truth: Tracks, result: Tracks, iou_threshold: float, identity: Identity, camera: str | None) -> Score:
    overlaps = find_overlaps(truth, result, identity, camera)
    clear = clear_and_identity(overlaps, iou_threshold)
    per_alpha = hota(overlaps)
    return Score(
        idf1=clear.idf1,
        idp=clear.idp,
        idr=clear.idr,
        hota=float(per_alpha.hota.mean()),
        deta=float(per_alpha.deta.mean()),
        assa=float(per_alpha.assa.mean()),
        mota=clear.mota,
        precision=clear.precision,
        recall=clear.recall,
        id_switches=clear.id_switches,
        truth_identities=overlaps.truth.identities,
        result_identities=overlaps.result.identities,
        truth_boxes=len(overlaps.truth),
        result_boxes=len(overlaps.result),
        shared_ids=_shared_ids(result, camera) if identity == "global_id" else 0,
    )


def _shared_ids(result: Tracks, camera: str | None) -> int:
    cameras = result.camera[repeated(result, result.global_id)[:, 0]]
    return sum(camera is None or result.cameras[index] == camera for index in cameras)
