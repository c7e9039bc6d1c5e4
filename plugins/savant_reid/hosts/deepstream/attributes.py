"""Decisions as Savant's attributes, and back: straight into the place where Savant keeps them.

Savant 0.5 holds attributes in a dictionary by the object's uid (savant/deepstream/utils/attribute.py). Its wrappers
reach that entry through five Python calls and four pyds properties for each attribute; the entry itself is all that
output conversion reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from savant_reid.identity.types import Decision, Reason, State, Unmatched

ELEMENT = "reid"
GLOBAL_ID = (ELEMENT, "global_id")
STATE = (ELEMENT, "state")
PROBABILITY = (ELEMENT, "probability")
# savant-rs writes integers with 64 bits and a sign; a larger one makes Savant drop the whole batch.
LIMIT = 2**63

# By the object's uid, then by (element, name): the attributes of that name.
Storage = MutableMapping[int, dict[tuple[str, str], list[Any]]]


class Attributes:
    """Writes and reads the three attributes of element `reid`.

    storage: Savant's. make: Savant's AttributeMeta, called with (element, name, value, confidence).
    """

    def __init__(self, storage: Storage, make: Callable[[str, str, Any, float], Any]) -> None:
        self._storage = storage
        self._make = make

    def write(self, uids: Iterable[int], decisions: Sequence[Decision]) -> None:
        """One decision for each uid; what stood there under these names is replaced, all else stays.

        Every value is a plain int, str or float: anything else makes Savant drop the whole batch. Raises ValueError
        for an identity that 64 bits cannot hold.
        """
        make, storage = self._make, self._storage
        for uid, decision in zip(uids, decisions, strict=True):
            if uid == 0:  # Savant could give it no key
                continue
            identity = int(decision.global_id)
            if not -LIMIT <= identity < LIMIT:
                raise ValueError(f"expected an identity of 64 bits, found {identity}")
            entry = {
                GLOBAL_ID: [make(ELEMENT, "global_id", identity, 1.0)],
                STATE: [make(ELEMENT, "state", str(decision.state.value), 1.0)],
                PROBABILITY: [make(ELEMENT, "probability", float(decision.probability), 1.0)],
            }
            known = storage.get(uid)
            if known is None:
                storage[uid] = entry
            else:
                known.update(entry)

    def read(self, uid: int, camera: str, track_id: int) -> Decision | None:
        """What was written, as a decision; None where nothing was."""
        entry = self._storage.get(uid)
        return decision_of(entry, camera, track_id) if entry else None


def decision_of(entry: Mapping[tuple[str, str], Sequence[Any]], camera: str, track_id: int) -> Decision | None:
    """A decision from attributes by (element, name), None where they hold none."""
    found = [entry.get(name) for name in (GLOBAL_ID, STATE, PROBABILITY)]
    if not all(found):
        return None
    identity, state, probability = (attributes[0].value for attributes in found if attributes)
    if identity < 0:
        return Decision(camera, track_id, Unmatched(Reason.TOO_LITTLE_EVIDENCE), State(state), probability)
    return Decision(camera, track_id, identity, State(state), probability)
