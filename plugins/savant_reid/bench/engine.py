"""The engine itself over a recording: online, moment by moment, with what it costs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from savant_reid.bench.answers import Answers
from savant_reid.bench.gatherer import RowGatherer
from savant_reid.bench.source import LabelledMoment, Source
from savant_reid.identity.policy import Tuning
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.types import Decision, EventKind, IdentityEvent, State
from savant_reid.process_memory import resident_mib

ENGINE = "engine"
# Memory is looked at once in so many moments.
_LOOK_EVERY = 100


def tunings() -> dict[str, Tuning]:
    """Name to constants: the engine as it is, and with one part switched off each, to see what that part earns.

    Every switch of `Tuning` that is on gives an ablation. Without evidence, the first crop of a track decides.
    """
    whole = Tuning()
    switches = [field.name for field in fields(Tuning) if getattr(whole, field.name) is True]
    parts = {f"without_{name}": replace(whole, **{name: False}) for name in switches}
    parts["without_evidence"] = replace(whole, crops=1, min_crops=1, decide_after_s=0.0)
    return {ENGINE: whole, **parts}


@dataclass(frozen=True)
class EngineRun:
    """answers: one per row of the recording. seconds: inside `resolve`. sightings: rows. identities_held: at the end.

    us_per_sighting: of CPU time, all threads together; other work on the machine does not count. settled_us: the same
    in the second half, when not everybody is new any more; settled_prototypes: held meanwhile, on average.
    worst_moment_s: the longest single call. peak_memory_mib: of the whole process, with the recording's own arrays.
    events: how many of each kind; history: the merges and splits among them, in order. accepted: embeddings taken as
    evidence.
    """

    answers: Answers
    seconds: float
    sightings: int
    us_per_sighting: float
    settled_us: float
    settled_prototypes: float
    worst_moment_s: float
    identities_held: int
    peak_memory_mib: float
    events: Mapping[str, int]
    history: Sequence[IdentityEvent]
    accepted: int


def run_engine(
    source: Source,
    tuning: Tuning | None = None,
    gatherer: RowGatherer | None = None,
    progress: Callable[[LabelledMoment], None] | None = None,
) -> EngineRun:
    """One pass. gatherer: also sees every moment, so that a recording need not be generated twice."""
    resolver = Resolver(source.topology(), source.policy(), tuning)
    said, history = _Said(), []
    took: list[_Took] = []
    peak_mib = resident_mib()
    for number, moment in enumerate(source.moments()):
        if gatherer is not None:
            gatherer.add(moment)
        start, cpu = time.perf_counter(), time.process_time()
        decisions = resolver.resolve(moment.sightings)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        took.append(_Took(seconds, cpu_seconds, len(decisions), resolver.prototypes))
        said.add(decisions)
        events = resolver.take_events()
        history += [event for event in events if event.kind in (EventKind.MERGED, EventKind.SPLIT)]
        said.events.update(event.kind.value for event in events)
        if number % _LOOK_EVERY == 0:
            peak_mib = max(peak_mib, resident_mib())
        if progress is not None:
            progress(moment)
    settled = took[len(took) // 2 :]
    return EngineRun(
        answers=said.answers(history),
        seconds=sum(one.seconds for one in took),
        us_per_sighting=_us(took),
        sightings=said.rows,
        settled_us=_us(settled),
        settled_prototypes=sum(one.prototypes for one in settled) / max(len(settled), 1),
        worst_moment_s=max((one.seconds for one in took), default=0.0),
        identities_held=resolver.identities,
        peak_memory_mib=peak_mib,
        events=dict(said.events),
        history=history,
        accepted=resolver.accepted,
    )


class _Took(NamedTuple):
    """One call of `resolve`: on the clock, of all threads, how many rows; and prototypes held afterwards."""

    seconds: float
    cpu_seconds: float
    rows: int
    prototypes: int


def _us(took: Sequence[_Took]) -> float:
    return sum(one.cpu_seconds for one in took) / max(sum(one.rows for one in took), 1) * 1e6


class _Said:
    """Decisions as arrays."""

    def __init__(self) -> None:
        self.rows = 0
        self.events: Counter[str] = Counter()
        self._ids: list[np.ndarray] = []
        self._confirmed: list[np.ndarray] = []

    def add(self, decisions: Sequence[Decision]) -> None:
        self.rows += len(decisions)
        self._ids.append(np.array([decision.global_id for decision in decisions], np.int64))
        self._confirmed.append(np.array([decision.state is State.CONFIRMED for decision in decisions], bool))

    def answers(self, history: Sequence[IdentityEvent]) -> Answers:
        merges = tuple(
            (int(event.time_ns), int(event.global_id), int(event.other_id))
            for event in history
            if event.kind is EventKind.MERGED and event.other_id is not None
        )
        ids = np.concatenate([np.zeros(0, np.int64), *self._ids])
        confirmed = np.concatenate([np.zeros(0, bool), *self._confirmed])
        return Answers(ids, confirmed & (ids >= 0), merges)
