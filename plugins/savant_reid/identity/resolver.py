"""Sightings in, decisions and events out: the one door of the identity core. Time is an argument, all state is here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from savant_reid.errors import DataError
from savant_reid.identity.acceptance import Acceptance
from savant_reid.identity.answers import Answers
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.constraints import Constraints
from savant_reid.identity.course import Course, Listeners, OnEnd
from savant_reid.identity.crops import Crops
from savant_reid.identity.crossings import Crossings, close_together
from savant_reid.identity.decider import Decider
from savant_reid.identity.due import Due
from savant_reid.identity.enrolment import Enrolment, Entry, enrol
from savant_reid.identity.finder import CandidateFinder
from savant_reid.identity.gallery import Gallery
from savant_reid.identity.hand_work import HandWork
from savant_reid.identity.holders import Holders
from savant_reid.identity.intake import Embeddings, Intake
from savant_reid.identity.keeper import Keeper
from savant_reid.identity.learned import Learned
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.lessons import Lessons
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.look_back import LookBack
from savant_reid.identity.metric import Metric
from savant_reid.identity.overlaps import Overlaps, find_overlaps
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.presence import Presence
from savant_reid.identity.review import Review
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.search import ExactSearch, MakeSearch, Search
from savant_reid.identity.second_thoughts import SecondThoughts
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.swaps import SwapFinder
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.transits import Transits
from savant_reid.identity.twins import Twins
from savant_reid.identity.types import Decision, IdentityEvent, Sightings
from savant_reid.identity.voice import Voice

# Second thoughts are had so often: a search for few costs about as much as one for many.
RECONSIDER_NS = 500_000_000


@dataclass(frozen=True)
class _Engine:
    """What exists once the length of an embedding is known."""

    crops: Crops
    metric: Metric
    scores: ScoreModel
    gallery: Gallery
    intake: Intake
    swap_finder: SwapFinder
    lessons: Lessons
    decider: Decider
    keeper: Keeper
    answers: Answers
    second_thoughts: SecondThoughts
    look_back: LookBack
    hand_work: HandWork
    entry: Entry
    acceptance: Acceptance


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
        self._topology = topology
        self._policy = policy or Policy()
        self._tuning = tuning or Tuning()
        self._enrolment = enrolment
        self._make_search = search
        self._first_id = max([first_id, *(one + 1 for one in (enrolment.names if enrolment else ()))])
        self._clock = SiteClock()
        self._live = LiveTracks(len(topology.cameras), self._clock)
        self._holders = Holders(topology)
        self._ledger = Ledger(topology, self._clock)
        self._course = Course(self._live, self._holders, self._tuning, on_end)
        self._crossings = Crossings(self._live)
        self._due = Due(self._live, self._holders, self._tuning)
        self._twins = Twins(self._live)
        self._review = Review(self._clock)
        self._voice = Voice(self._live, self._ledger, topology)
        self._embeddings = Embeddings()
        self._embeddings.dimension = enrolment.dimension if enrolment else None
        self._hands = Hands(constraints or Constraints(), topology, self._ledger.aliases)
        plain = Topology(topology.cameras, overlaps=[])
        self.transits = Transits(topology if self._tuning.topology else plain, learned=self._tuning.topology)
        self._learned = learned and learned.for_cameras(topology.cameras)
        if self._learned is not None:
            self.transits.start_from(self._learned.transits)
            if self._embeddings.dimension not in (None, self._learned.dimension):
                found = f"{self._embeddings.dimension} for those enrolled, {self._learned.dimension} for those learned"
                raise DataError(f"expected embeddings of one length, found {found}")
            self._embeddings.dimension = self._learned.dimension
        self._engine: _Engine | None = None
        self._areas: dict[int, float] = {}
        self._reconsidered_ns = 0

    def resolve(self, batch: Sequence[Sightings]) -> list[Decision]:
        """One decision per row of the batch, frame after frame, row after row.

        Raises KeyError for a camera that the topology does not know.
        """
        cameras = [self._camera(sightings.camera) for sightings in batch]
        times = self._clock.read([(c, s.time_ns) for c, s in zip(cameras, batch, strict=True)])
        self._areas.update(
            {c: float(s.frame_size[0]) * float(s.frame_size[1]) for c, s in zip(cameras, batch, strict=True)}
        )
        self.transits.tick(self._clock.now_ns)
        seen = self._live.observe(batch, cameras, times)
        overlaps = find_overlaps(seen.boxes, seen.frame_of)
        rows, vectors = self._embeddings.usable(batch, seen.starts)
        engine = self._engine or self._start()
        self._track(seen, overlaps)
        if engine is not None:
            if self._hands.active:
                engine.hand_work.heed(seen)
            self._reconsider(engine)
            self._learn(engine, engine.intake.take(batch, seen, overlaps, rows, vectors))
            self._decide(engine, seen)
            engine.keeper.sweep()
        return self._voice.of(seen, engine.gallery if engine is not None else None)

    def _camera(self, name: str) -> int:
        index = self._topology.index.get(name)
        if index is None:
            raise KeyError(f"expected a camera of the site ({', '.join(self._topology.cameras)}), found {name!r}")
        return index

    def _start(self) -> _Engine | None:
        dimension = self._embeddings.dimension
        if dimension is None:
            return None
        tuning, topology, live, holders = self._tuning, self._topology, self._live, self._holders
        metric = Metric(len(topology.cameras), dimension, normalise=tuning.normalise, within=tuning.directions)
        crops = Crops(dimension, tuning.crops)
        scores = ScoreModel(metric)
        if self._learned is not None:
            metric.start_from(self._learned.metric)
            scores.start_from(self._learned.moments)
        search: Search = self._make_search(dimension, self._policy.capacity)
        gallery = Gallery(self._policy.capacity, tuning.prototypes, metric, search)
        entry = Entry(scores, gallery, metric, self._enrolment, self._policy.similarity_threshold)
        finder = CandidateFinder(gallery, metric, scores, self.transits, topology, live, entry, motion=tuning.motion)
        acceptance = Acceptance.of_all() if entry.closed else Acceptance(self._policy.target_fpir)
        keeper = Keeper(gallery, holders, self._ledger, self._policy, tuning, entry.names)
        answers = Answers(gallery, holders, keeper, self._ledger, tuning, self._first_id, entry, self._hands, live)
        intake = Intake(live, crops, metric, scores, tuning, self._embeddings)
        presence = Presence(gallery, self.transits, topology, holders, entry)
        lessons = Lessons(live, crops, gallery, metric, scores, self.transits, topology, acceptance)
        enrol(self._enrolment, gallery, self._ledger)
        self._course.tell(Listeners(crops, intake, lessons, answers))
        self._engine = _Engine(
            crops,
            metric,
            scores,
            gallery,
            intake,
            SwapFinder(self._crossings, crops, metric, scores),
            lessons,
            Decider(finder, holders, topology, tuning, self._hands, acceptance),
            keeper,
            answers,
            SecondThoughts(
                gallery, metric, scores, self.transits, topology, presence, entry, self._hands, self._crossings
            ),
            LookBack(gallery, metric, scores, presence, len(topology.cameras)),
            HandWork(self._hands, answers, gallery, holders, live, self._ledger, topology, entry, self._course.renew),
            entry,
            acceptance,
        )
        return self._engine

    def _track(self, seen: Seen, overlaps: Overlaps) -> None:
        """Who is back, who crosses whom, who is lost or gone."""
        self._course.welcome_back(seen)
        if self._tuning.swaps and self._engine is not None:
            together = close_together(self._live, seen, overlaps)
            self._crossings.observe(together)
            self._twins.observe(together)
        self._course.part(seen)

    def _reconsider(self, engine: _Engine) -> None:
        """Have the identities of tracklets that were lost lately been known under other names?"""
        now_ns, thoughts = self._clock.now_ns, engine.second_thoughts
        if now_ns - self._reconsidered_ns < RECONSIDER_NS:
            return
        self._reconsidered_ns = now_ns
        lost = self._course.take_lost()
        if not self._tuning.second_thoughts:
            return
        self._review.note(lost)
        due = self._review.due()
        for merge in chain(thoughts.about(lost, now_ns), thoughts.of(due, now_ns)):
            evidence = {"log_odds": merge.odds, "nats": merge.nats}
            engine.answers.merge(merge.old, merge.new, None, "second thoughts: one person", evidence)
        if self._hands.active or engine.entry.names:
            return  # what people have decided stays
        for move in engine.look_back.of(due, now_ns):
            evidence = {"log_odds": move.odds, "nats": move.nats}
            engine.answers.move(move.visit, move.old, move.new, evidence)

    def _learn(self, engine: _Engine, learned: list[Tracklet]) -> None:
        """New crops: lessons, swaps, and a new look at everything when the metric has changed."""
        engine.lessons.of_camera(learned)
        if engine.entry.names:
            engine.entry.learn_from(learned, engine.lessons.strangers_of)
        if self._tuning.swaps:
            for swap in engine.swap_finder.swaps(self._clock.now_ns):
                self._course.exchange(swap)
            for cut in engine.swap_finder.cuts(learned):
                self._course.cut(cut)
        if engine.metric.refresh(engine.gallery.size):
            engine.gallery.look_again()
            engine.scores.follow()
        else:
            engine.scores.refit_if_due()
        engine.answers.share_crops(learned)

    def _decide(self, engine: _Engine, seen: Seen) -> None:
        asking = self._due.of(seen)
        hidden = self._twins.hidden(asking, engine.metric, engine.scores)
        due = [tracklet for tracklet in asking if tracklet not in hidden]
        self._twins.sweep()
        if not due:
            return
        engine.answers.apply(engine.decider.decide(due, self._areas), self._clock.now_ns)
        engine.answers.share_crops(due)

    def take_events(self) -> list[IdentityEvent]:
        """Events since the last call, in the order in which they happened."""
        return self._ledger.take()

    def learned(self) -> Learned | None:
        """What a resolver of the same site could start from; None before the first embedding."""
        engine = self._engine
        if engine is None:
            return None
        lessons = engine.metric.learned(engine.gallery.size)
        learned = Learned(tuple(self._topology.cameras), lessons, engine.scores.learned(), self.transits.learned())
        return learned.without_rare()

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
        present = self._ledger.aliases.present(global_id)
        return present if self._engine and self._engine.gallery.row_of(present) is not None else None

    @property
    def enrolled(self) -> dict[int, str]:
        """Names of those enrolled, by global_id."""
        return self._enrolment.names if self._enrolment else {}

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
        engine, enrolled = self._engine, self._enrolment
        closed = enrolled is not None and enrolled.closed
        is_open = engine is not None and not closed
        return {
            "margin": engine.acceptance.margin if engine and is_open else math.nan,
            "estimated_fpir": engine.acceptance.estimated_fpir if engine and is_open else math.nan,
            "target_fpir": enrolled.target_fpir if enrolled and closed else self._policy.target_fpir,
            "similarity_floor": engine.entry.floor() if engine and engine.entry.names else math.nan,
        }

    @property
    def drifts(self) -> dict[str, int]:
        """Alarms by camera: times that what it makes of people was no longer what it had been."""
        counts = self._engine.metric.drifts.tolist() if self._engine else [0] * len(self._topology.cameras)
        return dict(zip(self._topology.cameras, counts, strict=True))

    @property
    def capacity(self) -> int:
        """How many identities can be held."""
        return self._policy.capacity

    @property
    def cuts(self) -> int:
        """Times that a track had swapped persons."""
        return self._course.cuts

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
        """Events by kind and decisions by state, since the start."""
        return self._ledger.counts

    @property
    def refused(self) -> Counter[str]:
        """Embeddings refused, by reason."""
        return self._embeddings.refused

    @property
    def clock_jumps(self) -> int:
        """Times that one camera's clock stepped back or leapt away from the others."""
        return self._clock.jumps

    @property
    def accepted(self) -> int:
        """Embeddings taken as evidence."""
        return self._embeddings.accepted

    @property
    def turned_away(self) -> int:
        """Times that a newcomer found the gallery full of people on screen."""
        return self._engine.answers.turned_away if self._engine else 0
