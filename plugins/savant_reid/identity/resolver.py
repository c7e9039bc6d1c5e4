"""Sightings in, decisions and events out: the one door of the identity core. Time is an argument, all state is here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from savant_reid.identity.constraints import Constraints
from savant_reid.identity.course import OnEnd
from savant_reid.identity.crossings import close_together
from savant_reid.identity.engine import Base, Engine
from savant_reid.identity.enrolment import Enrolment
from savant_reid.identity.hand_work import HandWork
from savant_reid.identity.learned import Learned
from savant_reid.identity.live import Seen
from savant_reid.identity.overlaps import Overlaps, find_overlaps
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.search import ExactSearch, MakeSearch
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Decision, IdentityEvent, Sightings

# Second thoughts are had so often: a search for few costs about as much as one for many.
RECONSIDER_NS = 500_000_000


class Resolver:
    """Decides who is who for one site.

    `resolve` is called with the frames of all cameras of one moment, in the order of time. `take_events` hands over
    what happened to identities since the last call. The same calls give the same answers.
    """

    def __init__(
        self,
        topology: Topology,
        policy: Policy | None = None,
        tuning: Tuning | None = None,
        first_id: int = 1,
        *,
        learned: Learned | None = None,
        on_end: OnEnd | None = None,
        enrolment: Enrolment | None = None,
        constraints: Constraints | None = None,
        search: MakeSearch = ExactSearch,
    ) -> None:
        """learned: what another resolver learned at this site. on_end: told of each tracklet that ends, with its crops.
        enrolment: who is known by name from the start. constraints: what people have decided before.
        search: makes what the gallery is searched with; all say the same.

        Embeddings of another length than those that were learned from are refused and counted.
        """
        self._base = Base(
            topology, policy or Policy(), tuning or Tuning(), learned, on_end, enrolment, constraints or Constraints()
        )
        self.transits = self._base.transits
        self._make_search = search
        self._first_id = max([first_id, *(one + 1 for one in (enrolment.names if enrolment else ()))])
        self._engine: Engine | None = None
        self._areas: dict[int, float] = {}
        self._reconsidered_ns = 0

    def resolve(self, batch: Sequence[Sightings]) -> list[Decision]:
        """One decision per row of the batch, frame after frame, row after row.

        Raises KeyError for a camera that the topology does not know.
        """
        base = self._base
        cameras = [self._camera(sightings.camera) for sightings in batch]
        times = base.clock.read([(c, s.time_ns) for c, s in zip(cameras, batch, strict=True)])
        self._areas.update(
            {c: float(s.frame_size[0]) * float(s.frame_size[1]) for c, s in zip(cameras, batch, strict=True)}
        )
        self.transits.tick(base.clock.now_ns)
        seen = base.live.observe(batch, cameras, times)
        overlaps = find_overlaps(seen.boxes, seen.frame_of)
        rows, vectors = base.embeddings.usable(batch, seen.starts)
        engine = self._engine or self._start()
        self._track(seen, overlaps)
        if engine is not None:
            if base.hands.active:
                engine.hand_work.heed(seen)
            self._reconsider(engine)
            self._learn(engine, engine.intake.take(batch, seen, overlaps, rows, vectors))
            self._decide(engine, seen)
            engine.keeper.sweep()
        return base.voice.of(seen, engine.gallery if engine is not None else None)

    def _camera(self, name: str) -> int:
        index = self._base.topology.index.get(name)
        if index is None:
            raise KeyError(f"expected a camera of the site ({', '.join(self._base.topology.cameras)}), found {name!r}")
        return index

    def _start(self) -> Engine | None:
        dimension = self._base.embeddings.dimension
        if dimension is not None:
            self._engine = Engine(self._base, dimension, self._first_id, self._make_search)
        return self._engine

    def _track(self, seen: Seen, overlaps: Overlaps) -> None:
        """Who is back, who crosses whom, who is lost or gone."""
        base = self._base
        base.course.welcome_back(seen)
        if base.tuning.swaps and self._engine is not None:
            together = close_together(base.live, seen, overlaps)
            base.crossings.observe(together)
            base.twins.observe(together)
        base.course.part(seen)

    def _reconsider(self, engine: Engine) -> None:
        """Have the identities of tracklets that were lost lately been known under other names?"""
        base, thoughts = self._base, engine.second_thoughts
        now_ns = base.clock.now_ns
        if now_ns - self._reconsidered_ns < RECONSIDER_NS:
            return
        self._reconsidered_ns = now_ns
        lost = base.course.take_lost()
        if not base.tuning.second_thoughts:
            return
        base.review.note(lost)
        due = base.review.due()
        for merge in chain(thoughts.about(lost, now_ns), thoughts.of(due, now_ns)):
            evidence = {"log_odds": merge.odds, "nats": merge.nats}
            engine.answers.merge(merge.old, merge.new, None, "second thoughts: one person", evidence)
        if base.hands.active or engine.entry.names:
            return  # what people have decided stays
        for move in engine.look_back.of(due, now_ns):
            evidence = {"log_odds": move.odds, "nats": move.nats}
            engine.answers.move(move.visit, move.old, move.new, evidence)

    def _learn(self, engine: Engine, learned: list[Tracklet]) -> None:
        """New crops: lessons, swaps, and a new look at everything when the metric has changed."""
        base = self._base
        engine.lessons.of_camera(learned)
        if engine.entry.names:
            engine.entry.learn_from(learned, engine.lessons.strangers_of)
        if base.tuning.swaps:
            for swap in engine.swap_finder.swaps(base.clock.now_ns):
                base.course.exchange(swap)
            for cut in engine.swap_finder.cuts(learned):
                base.course.cut(cut)
        if engine.metric.refresh(engine.gallery.size):
            engine.gallery.look_again()
            engine.scores.follow()
        else:
            engine.scores.refit_if_due()
        engine.answers.share_crops(learned)

    def _decide(self, engine: Engine, seen: Seen) -> None:
        base = self._base
        asking = base.due.of(seen)
        hidden = base.twins.hidden(asking, engine.metric, engine.scores)
        due = [tracklet for tracklet in asking if tracklet not in hidden]
        base.twins.sweep()
        if not due:
            return
        engine.answers.apply(engine.decider.decide(due, self._areas), base.clock.now_ns)
        engine.answers.share_crops(due)

    def take_events(self) -> list[IdentityEvent]:
        """Events since the last call, in the order in which they happened."""
        return self._base.ledger.take()

    def learned(self) -> Learned | None:
        """What a resolver of the same site could start from; None before the first embedding."""
        return self._engine.learned() if self._engine else None

    def merge(self, old: int, new: int) -> int:
        """Somebody says that `old` is `new`; returns the id that lives on (somebody enrolled keeps theirs).

        An event `merged` with the reason "by hand"; never undone. Raises KeyError for an identity that is not held.
        """
        return self._by_hand(old).merge(old, new)

    def split(self, global_id: int, camera: str, track_id: int) -> int:
        """Somebody says that this track, which goes on, is not that identity; returns its new one.

        Events `created` and `split` with the reason "by hand"; the two are never merged from now on. 0 where nobody new
        can be named (a closed set, a full gallery). Raises KeyError if the track does not carry this identity.
        """
        return self._by_hand(global_id).split(global_id, camera, track_id)

    def forget(self, global_id: int) -> None:
        """Erase an identity, enrolled or not; an event `erased`. Raises KeyError for one that is not held.

        What was learned from everybody stays as sums and moments; no vector of anybody's looks is kept for it.
        """
        self._by_hand(global_id).forget(global_id)
        if self._engine is not None:
            self._engine.scores.forget_looks()
            self._engine.metric.forget_looks()

    def _by_hand(self, global_id: int) -> HandWork:
        if self._engine is None:
            raise KeyError(f"expected an identity that is held, found {global_id}")
        return self._engine.hand_work

    def present_id(self, global_id: int) -> int | None:
        """What an identity is called now, or None if it is not (or no longer) here.

        The last 100,000 merges are remembered (identity/aliases.py); an older id is taken for one that is gone.
        """
        present = self._base.ledger.aliases.present(global_id)
        return present if self._engine and self._engine.gallery.row_of(present) is not None else None

    @property
    def enrolled(self) -> dict[int, str]:
        """Names of those enrolled, by global_id."""
        return self._base.enrolment.names if self._base.enrolment else {}

    def similarity(self) -> dict[str, dict[str, float]]:
        """What has been learned about similarities: mean, standard deviation and number of pairs of both kinds."""
        return self._engine.scores.summary() if self._engine else {}

    def learned_topology(self) -> dict[str, object]:
        """What has been learned about ways and cameras, beside what was declared; see docs/metadata.md."""
        return {**self.transits.summary(), "camera_drift": self.drifts}

    def calibration(self) -> dict[str, float]:
        """How sure a match must be now; NaN what is not asked, or not known yet.

        margin: nats of log-odds. estimated_fpir: with this margin; target_fpir: as asked. similarity_floor: of matches
        with those enrolled.
        """
        engine, enrolled = self._engine, self._base.enrolment
        closed = enrolled is not None and enrolled.closed
        is_open = engine is not None and not closed
        return {
            "margin": engine.acceptance.margin if engine and is_open else math.nan,
            "estimated_fpir": engine.acceptance.estimated_fpir if engine and is_open else math.nan,
            "target_fpir": enrolled.target_fpir if enrolled and closed else self._base.policy.target_fpir,
            "similarity_floor": engine.entry.floor() if engine and engine.entry.names else math.nan,
        }

    @property
    def drifts(self) -> dict[str, int]:
        """Alarms by camera: times that what it makes of people was no longer what it had been."""
        counts = self._engine.metric.drifts.tolist() if self._engine else [0] * len(self._base.topology.cameras)
        return dict(zip(self._base.topology.cameras, counts, strict=True))

    @property
    def capacity(self) -> int:
        """How many identities can be held."""
        return self._base.policy.capacity

    @property
    def cuts(self) -> int:
        """Times that a track had swapped persons."""
        return self._base.course.cuts

    @property
    def identities(self) -> int:
        """How many identities are held now."""
        return self._engine.gallery.size if self._engine else 0

    @property
    def prototypes(self) -> int:
        """How many embeddings are held for them."""
        return int(self._engine.gallery.count.sum()) if self._engine else 0

    @property
    def counts(self) -> Counter[str]:
        """Events by kind, since the start."""
        return self._base.ledger.counts

    @property
    def decisions(self) -> Counter[str]:
        """Decisions by state, since the start."""
        return self._base.voice.counts

    @property
    def refused(self) -> Counter[str]:
        """Embeddings refused, by reason."""
        return self._base.embeddings.refused

    @property
    def clock_jumps(self) -> int:
        """Times that one camera's clock stepped back or leapt away from the others."""
        return self._base.clock.jumps

    @property
    def accepted(self) -> int:
        """Embeddings taken as evidence."""
        return self._base.embeddings.accepted

    @property
    def turned_away(self) -> int:
        """Times that a newcomer found the gallery full of people on screen."""
        return self._engine.answers.turned_away if self._engine else 0
