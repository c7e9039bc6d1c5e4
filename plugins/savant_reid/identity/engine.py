"""What a resolver is made of: one half is there from the start, the other once the length of an embedding is known."""

from __future__ import annotations

from savant_reid.errors import DataError
from savant_reid.identity.acceptance import Acceptance
from savant_reid.identity.answers import Answers
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.constraints import Constraints
from savant_reid.identity.course import Course, Listeners, OnEnd
from savant_reid.identity.crops import Crops
from savant_reid.identity.crossings import Crossings
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
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.look_back import LookBack
from savant_reid.identity.metric import Metric
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.presence import Presence
from savant_reid.identity.review import Review
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.search import MakeSearch
from savant_reid.identity.second_thoughts import SecondThoughts
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.swaps import SwapFinder
from savant_reid.identity.topology import Topology
from savant_reid.identity.transits import Transits
from savant_reid.identity.twins import Twins
from savant_reid.identity.voice import Voice


class Base:
    """What there is from the start: what follows tracks, and what people have said. Arguments: see Resolver.

    Raises DataError if those enrolled and what was learned are of embeddings of different lengths.
    """

    def __init__(
        self,
        topology: Topology,
        policy: Policy,
        tuning: Tuning,
        learned: Learned | None,
        on_end: OnEnd | None,
        enrolment: Enrolment | None,
        constraints: Constraints,
    ) -> None:
        self.topology, self.policy, self.tuning, self.enrolment = topology, policy, tuning, enrolment
        self.clock = SiteClock()
        self.live = LiveTracks(len(topology.cameras), self.clock)
        self.holders = Holders(topology)
        self.ledger = Ledger(topology, self.clock)
        self.course = Course(self.live, self.holders, tuning, on_end)
        self.crossings = Crossings(self.live)
        self.due = Due(self.live, self.holders, tuning)
        self.twins = Twins(self.live)
        self.review = Review(self.clock)
        self.voice = Voice(self.live, topology)
        self.hands = Hands(constraints, topology, self.ledger.aliases)
        self.learned = learned and learned.for_cameras(topology.cameras)
        self.embeddings = Embeddings()
        self.embeddings.dimension = _dimension(enrolment, self.learned)
        plain = Topology(topology.cameras, overlaps=[])
        self.transits = Transits(topology if tuning.topology else plain, learned=tuning.topology)
        if self.learned is not None:
            self.transits.start_from(self.learned.transits)


class Engine:
    """What exists once the length of an embedding is known.

    dimension: D. first_id: of the first newcomer. make_search: makes what the gallery is searched with.
    """

    def __init__(self, base: Base, dimension: int, first_id: int, make_search: MakeSearch) -> None:
        policy, tuning, topology, transits = base.policy, base.tuning, base.topology, base.transits
        live, holders, ledger, hands = base.live, base.holders, base.ledger, base.hands
        metric = Metric(len(topology.cameras), dimension, normalise=tuning.normalise, within=tuning.directions)
        scores = ScoreModel(metric)
        if base.learned is not None:
            metric.start_from(base.learned.metric)
            scores.start_from(base.learned.moments)
        crops = Crops(dimension, tuning.crops)
        gallery = Gallery(policy.capacity, tuning.prototypes, metric, make_search(dimension, policy.capacity))
        entry = Entry(scores, gallery, metric, base.enrolment, policy.similarity_threshold)
        acceptance = Acceptance.of_all() if entry.closed else Acceptance(policy.target_fpir)
        finder = CandidateFinder(gallery, metric, scores, transits, topology, live, entry, motion=tuning.motion)
        keeper = Keeper(gallery, holders, ledger, policy, tuning, entry.names)
        answers = Answers(gallery, holders, keeper, ledger, tuning, first_id, entry, hands, live)
        intake = Intake(live, crops, metric, scores, tuning, base.embeddings)
        lessons = Lessons(live, crops, gallery, metric, scores, transits, topology, acceptance)
        presence = Presence(gallery, transits, topology, holders, entry)
        self._base = base
        self.metric, self.scores, self.gallery, self.entry, self.acceptance = metric, scores, gallery, entry, acceptance
        self.intake, self.lessons, self.keeper, self.answers = intake, lessons, keeper, answers
        self.swap_finder = SwapFinder(base.crossings, crops, metric, scores, ledger.aliases)
        self.decider = Decider(finder, holders, topology, tuning, hands, acceptance)
        self.second_thoughts = SecondThoughts(
            gallery, metric, scores, transits, topology, presence, entry, hands, base.crossings
        )
        self.look_back = LookBack(gallery, metric, scores, presence, len(topology.cameras))
        self.hand_work = HandWork(hands, answers, gallery, holders, live, ledger, topology, entry, base.course.renew)
        enrol(base.enrolment, gallery, ledger)
        base.course.tell(Listeners(crops, intake, lessons, answers))

    def learned(self) -> Learned:
        """What a resolver of the same site could start from."""
        cameras, transits = tuple(self._base.topology.cameras), self._base.transits.learned()
        return Learned(cameras, self.metric.learned(self.gallery.size), self.scores.learned(), transits).without_rare()


def _dimension(enrolment: Enrolment | None, learned: Learned | None) -> int | None:
    """The length of an embedding, as far as it is known before one has come."""
    of_enrolled = enrolment.dimension if enrolment else None
    if learned is not None and of_enrolled not in (None, learned.dimension):
        found = f"{of_enrolled} for those enrolled, {learned.dimension} for those learned"
        raise DataError(f"expected embeddings of one length, found {found}")
    return learned.dimension if learned is not None else of_enrolled
