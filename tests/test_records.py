from __future__ import annotations

from savant_reid.identity.types import Decision, State
from savant_reid.records import shared_ids


def said(camera: str, identity: int) -> Decision:
    return Decision(camera, 1, identity, State.CONFIRMED, 0.9)


def test_only_people_of_one_frame_share_an_identity() -> None:
    apart = [said("door", 1), said("till", 1), said("door", 2), said("door", -1), said("door", -1)]
    assert shared_ids(apart) == 0
    assert shared_ids([*apart, said("door", 2), said("door", 2)]) == 2
