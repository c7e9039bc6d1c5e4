"""What is to be drawn on a frame, read from the attributes of its objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from savant_reid.hosts.deepstream.attributes import GLOBAL_ID, PROBABILITY, STATE, decision_of
from savant_reid.identity.types import Decision, Sightings


@dataclass(frozen=True)
class DrawnFrame:
    """A FrameView for a draw function: it looks and changes nothing."""

    camera: str
    time_ns: int
    seen: Sightings

    def sightings(self) -> Sightings:
        return self.seen

    def request_embeddings(self, due: Any) -> None:
        """Nobody is embedded after the re-ID model."""

    def write_decisions(self, decisions: Any) -> None:
        """What was decided stands."""


def drawn_frame(
    camera: str, time_ns: int, frame_size: tuple[int, int], objects: Iterable[Any]
) -> tuple[DrawnFrame, list[Decision]]:
    """The objects that carry a decision, as people of a frame, with their decisions. objects: Savant's ObjectMeta."""
    decisions, boxes, track_ids, confidences = [], [], [], []
    for obj in objects:
        entry = {key: obj.get_attr_meta_list(*key) or [] for key in (GLOBAL_ID, STATE, PROBABILITY)}
        decision = decision_of(entry, camera, int(obj.track_id))
        if decision is not None:
            box = obj.bbox
            decisions.append(decision)
            boxes.append((box.left, box.top, box.width, box.height))
            track_ids.append(decision.track_id)
            confidences.append(obj.confidence)
    seen = Sightings(
        camera=camera,
        time_ns=time_ns,
        track_ids=np.array(track_ids, np.int64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        confidences=np.array(confidences, np.float32),
        embedding_of=np.full(len(decisions), -1, np.int64),
        embeddings=np.zeros((0, 0), np.float32),
        frame_size=frame_size,
    )
    return DrawnFrame(camera, time_ns, seen), decisions
