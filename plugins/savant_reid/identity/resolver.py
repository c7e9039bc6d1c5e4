"""Sightings in, decisions and events out: the one door of the identity core. Time is an argument, all state is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from savant_reid.identity.camera_means import CameraMeans
from savant_reid.identity.candidates import CandidateFinder
from savant_reid.identity.decider import Decider, Verdict
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.keeper import Keeper
from savant_reid.identity.learning import Learner
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.tracklets import LiveTracklets, crowd
from savant_reid.identity.types import (
    Decision,
    EventKind,
    IdentityEvent,
    Reason,
    RunnerUp,
    Sightings,
    State,
    Unmatched,
)


@dataclass(frozen=True)
class _Engine:
    """What exists once the length of an embedding is known."""

    gallery: Gallery
    learner: Learner
    decider: Decider
    keeper: Keeper


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
        scores: ScoreModel | None = None,
        first_id: int = 1,
    ) -> None:
        self._topology = topology
        self._policy = policy or Policy()
        self._tuning = tuning or Tuning()
        self.scores = scores or ScoreModel()
        self._clock = SiteClock()
        self._live = LiveTracklets(topology, self._clock, self._tuning)
        self._ledger = Ledger(topology, self._clock)
        self._engine: _Engine | None = None
        self._next_id = first_id
        self.cuts = 0  # times that a track had swapped persons
        self.turned_away = 0  # times that a newcomer found the gallery full of people on screen

    def resolve(self, batch: Sequence[Sightings]) -> list[Decision]:
        """One decision per row of the batch, frame after frame, row after row.

        Raises KeyError for a camera that the topology does not know.
        """
        times = self._clock.read([(self._camera(sightings.camera), sightings.time_ns) for sightings in batch])
        rows: list[Tracklet] = []
        for sightings, at_ns in zip(batch, times, strict=True):
            rows += self._live.observe(sightings, at_ns)
        closed = self._live.close_stale()
        engine = self._engine or self._start()
        if engine is None:
            return [self._undecided(tracklet) for tracklet in rows]
        for tracklet in closed:
            self._close(tracklet, engine)
        rows = [self._without_swap(tracklet, engine) for tracklet in rows]
        self._settle(self._due(rows), engine)
        for tracklet in rows:
            self._share_evidence(tracklet, engine)
        engine.keeper.sweep()
        return [self._decision(tracklet, engine) for tracklet in rows]

    def _camera(self, name: str) -> int:
        index = self._topology.index.get(name)
        if index is None:
            raise KeyError(f"expected a camera of the site ({', '.join(self._topology.cameras)}), found {name!r}")
        return index

    def take_events(self) -> list[IdentityEvent]:
        """Events since the last call, in the order in which they happened."""
        return self._ledger.take()

    @property
    def identities(self) -> int:
        """How many identities are held now."""
        return self._engine.gallery.size if self._engine else 0

    @property
    def counts(self) -> Counter[str]:
        """Events by kind and decisions by state, since the start."""
        return self._ledger.counts

    @property
    def refused(self) -> Counter[str]:
        """Embeddings refused, by reason."""
        return self._live.refused

    @property
    def clock_jumps(self) -> int:
        """Times that one camera's clock stepped back or leapt away from the others."""
        return self._clock.jumps

    @property
    def accepted(self) -> int:
        """Embeddings taken as evidence."""
        return self._live.accepted

    def _start(self) -> _Engine | None:
        if self._live.dimension is None:
            return None
        means = CameraMeans(len(self._topology.cameras), self._live.dimension)
        learner = Learner(self.scores, means, self._topology)
        gallery = Gallery(self._policy.capacity, self._tuning.prototypes, means)
        finder = CandidateFinder(gallery, self._topology, learner, self._live)
        self._engine = _Engine(
            gallery,
            learner,
            Decider(finder, self._live, self._topology, self._policy, self._tuning),
            Keeper(gallery, self._live, self._ledger, self._policy, self._tuning),
        )
        return self._engine

    def _without_swap(self, tracklet: Tracklet, engine: _Engine) -> Tracklet:
        """The tracklet that goes on: where the tracker has swapped persons in the middle, a new one."""
        evidence = tracklet.evidence
        if not tracklet.global_id or evidence.seen == tracklet.checked_seen:
            return tracklet
        tracklet.checked_seen = evidence.seen
        count = engine.learner.strangers(tracklet)
        if not count:
            return tracklet
        rest = self._live.cut(tracklet, count)
        row = engine.gallery.row_of(tracklet.global_id)
        if row is not None:
            engine.gallery.drop_source(row, tracklet.serial)
            evidence.offer_again()
            self._share_evidence(tracklet, engine)
        self._close(tracklet, engine)
        self.cuts += 1
        return rest

    def _due(self, rows: Sequence[Tracklet]) -> list[Tracklet]:
        """Who has something new to say, and everybody who shares an identity with somebody else on screen."""
        due = [tracklet for tracklet in rows if self._is_due(tracklet)]
        for sharing in crowd(self._live.visible()).values():
            due += [t for t in sharing if t not in due and self._in_conflict(t, sharing)]
        return due

    def _is_due(self, tracklet: Tracklet) -> bool:
        evidence = tracklet.evidence
        fresh = evidence.seen > tracklet.asked_seen
        waited = (tracklet.last_ns - (tracklet.asked_ns or 0)) * 1e-9 >= self._tuning.redecide_s
        if tracklet.global_id:
            return fresh and waited
        if self._must_decide(tracklet):
            return len(evidence) > 0 and (waited or tracklet.unmatched is not Reason.GALLERY_FULL)
        return fresh and len(evidence) >= self._tuning.min_embeddings

    def _must_decide(self, tracklet: Tracklet) -> bool:
        """It has waited long enough for a clear answer."""
        return tracklet.age_s >= self._tuning.decide_after_s

    def _in_conflict(self, tracklet: Tracklet, sharing: Sequence[Tracklet]) -> bool:
        return any(o is not tracklet and not self._topology.can_share(o.camera, tracklet.camera) for o in sharing)

    def _settle(self, due: Sequence[Tracklet], engine: _Engine) -> None:
        if not due:
            return
        on_screen = self._live.visible()
        for tracklet in due:
            if tracklet.evidence.seen > tracklet.asked_seen:
                engine.learner.learn(tracklet, on_screen)
        verdicts = engine.decider.decide(due)
        named = {verdict.global_id for verdict in verdicts}
        for verdict in verdicts:
            self._apply(verdict, named, engine)

    def _apply(self, verdict: Verdict, named: Collection[int], engine: _Engine) -> None:
        """named: the identities that this round of verdicts gives to somebody."""
        tracklet = verdict.tracklet
        old, new = tracklet.global_id, verdict.global_id
        if new and engine.gallery.row_of(new) is None:
            return  # merged away by a verdict before this one; the tracklet stays due and asks again
        tracklet.asked_ns, tracklet.asked_seen = tracklet.last_ns, tracklet.evidence.seen
        tracklet.probability = verdict.probability
        tracklet.runner_up = verdict.runner_up
        clear = verdict.probability >= self._tuning.confident
        tracklet.ambiguous = not (clear and verdict.proven)
        if not (old or clear or self._must_decide(tracklet)):
            return  # evidence before decision: a moment later it may be clear
        if (new and new == old) or (tracklet.founder and not new):
            return
        new = new or self._found_identity(tracklet, named, engine)
        self._move(tracklet, new, verdict, engine)
        tracklet.founder = not verdict.global_id and new != 0
        tracklet.arrival = verdict.arrival

    def _found_identity(self, tracklet: Tracklet, named: Collection[int], engine: _Engine) -> int:
        """A new identity for a tracklet; 0 if there is no room for one."""
        if not engine.keeper.make_room(spare=named):
            self.turned_away += 1
            return 0
        global_id = self._next_id
        self._next_id += 1
        engine.gallery.create(global_id, tracklet.camera, tracklet.first_ns)
        self._ledger.note(EventKind.CREATED, global_id, tracklet, evidence={"probability": tracklet.probability})
        return global_id

    def _move(self, tracklet: Tracklet, new: int, verdict: Verdict, engine: _Engine) -> None:
        """Give a tracklet its identity; second thoughts are events: what was said before is taken back in the open."""
        old = tracklet.global_id
        tracklet.global_id = new
        if tracklet.cut_from and new:
            self._tell_of_swap(tracklet)
        tracklet.unmatched = Reason.TOO_LITTLE_EVIDENCE if new else Reason.GALLERY_FULL
        row = engine.gallery.row_of(old) if old else None
        if row is None:
            return
        evidence = {"probability": verdict.probability, "log_odds": verdict.odds}
        if tracklet.founder and new:
            self._merge(old, new, engine)
            self._ledger.note(EventKind.MERGED, old, tracklet, new, "later evidence: one person", evidence)
            return
        engine.gallery.drop_source(row, tracklet.serial)
        tracklet.evidence.offer_again()
        self._ledger.note(EventKind.SPLIT, old, tracklet, new or None, "later evidence: another person", evidence)

    def _tell_of_swap(self, tracklet: Tracklet) -> None:
        """A part of the track was said to be somebody else; now it is known who it was."""
        before, tracklet.cut_from = tracklet.cut_from, 0
        if before != tracklet.global_id:
            reason = "the track went on with another person"
            now = tracklet.global_id
            self._ledger.note(EventKind.SPLIT, before, tracklet, now, reason, since_ns=tracklet.first_ns)

    def _merge(self, old: int, new: int, engine: _Engine) -> None:
        gallery = engine.gallery
        source, target = gallery.row_of(old), gallery.row_of(new)
        if source is None or target is None:
            return
        gallery.take_from(target, source)
        gallery.remove(source)
        for holder in self._live.holders(old):
            holder.global_id, holder.founder = new, False

    def _share_evidence(self, tracklet: Tracklet, engine: _Engine) -> None:
        """What a decided tracklet has seen becomes its identity's prototypes."""
        gallery = engine.gallery
        row = gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is None:
            return
        fresh = tracklet.evidence.collect()
        for embedding, quality in fresh:
            gallery.add(row, embedding, quality, tracklet.serial, tracklet.camera)
        gallery.embeddings_seen[row] += len(fresh)
        if not gallery.confirmed[row] and gallery.embeddings_seen[row] >= self._tuning.confirm_embeddings:
            gallery.confirmed[row] = True
            self._ledger.note(EventKind.CONFIRMED, tracklet.global_id, tracklet)

    def _close(self, tracklet: Tracklet, engine: _Engine) -> None:
        gallery = engine.gallery
        row = gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is not None and tracklet.last_ns >= gallery.last_seen_ns[row]:
            gallery.last_seen_ns[row], gallery.last_camera[row] = tracklet.last_ns, tracklet.camera

    def _undecided(self, tracklet: Tracklet) -> Decision:
        self._ledger.counts[State.PROVISIONAL.value] += 1
        camera = self._topology.cameras[tracklet.camera]
        return Decision(camera, tracklet.track_id, Unmatched(tracklet.unmatched), State.PROVISIONAL, 0.0)

    def _decision(self, tracklet: Tracklet, engine: _Engine) -> Decision:
        row = engine.gallery.row_of(tracklet.global_id) if tracklet.global_id else None
        if row is None:
            return self._undecided(tracklet)
        state = State.CONFIRMED if engine.gallery.confirmed[row] else State.PROVISIONAL
        if tracklet.ambiguous:
            state = State.AMBIGUOUS
        self._ledger.counts[state.value] += 1
        runner_up = RunnerUp(*tracklet.runner_up) if tracklet.runner_up else None
        camera = self._topology.cameras[tracklet.camera]
        return Decision(camera, tracklet.track_id, tracklet.global_id, state, tracklet.probability, runner_up)
