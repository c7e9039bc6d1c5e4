"""Identify: the whole batch of all cameras at once, sightings in, decisions out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from savant_reid.errors import ConfigError
from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.choice import for_host
from savant_reid.hosts.plugin import PEOPLE, KafkaOutput, Plugin
from savant_reid.identity.intake import REFUSALS
from savant_reid.identity.types import Decision, IdentityEvent, Sightings, State
from savant_reid.pyfuncs.shared import SharedResolver, shared_resolver
from savant_reid.site import load_site
from savant_reid.site_learned import load_learned
from savant_reid.site_people import load_enrolment

# In Savant's container; a volume there, so that what waits outlives the container.
SPOOL = "/spool/kafka"


@for_host
class Identify(Plugin):
    """site: path of site.yml. embedding_model: name of the element whose embeddings it reads; the host checks that it
    has one of that name. people: `element.label` of those whom it names. kafka: brokers, HOST:PORT with commas between,
    to which Savant's host sends frames and events; none where it is empty. kafka_spool: folder of what waits for them.
    kafka_config: the file of --kafka-config."""

    joint = True

    def __init__(
        self,
        site: str,
        embedding_model: str,
        people: str = PEOPLE,
        kafka: str | None = None,
        kafka_spool: str = SPOOL,
        kafka_config: str | None = None,
    ) -> None:
        self.site = site
        self.embedding_model = embedding_model
        self.people = people
        config = Path(kafka_config) if kafka_config else None
        self.kafka = KafkaOutput(kafka, Path(kafka_spool), config) if kafka else None
        self._started: SharedResolver | None = None

    @property
    def site_name(self) -> str:
        return load_site(Path(self.site)).site

    def on_start(self) -> None:
        self._started = shared_resolver(self.site)

    def accept_model(self, model: str) -> None:
        site = load_site(Path(self.site))
        load_enrolment(site, model)
        load_learned(site, model)

    def refuses(self, camera: str) -> str | None:
        known = load_site(Path(self.site)).cameras
        return None if camera in known else _missing(self.site, [camera], known)

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        sightings = [frame.sightings() for frame in frames]
        decisions = self._resolve(sightings)
        start = 0
        for frame, seen in zip(frames, sightings, strict=True):
            frame.write_decisions(decisions[start : start + len(seen)])
            start += len(seen)

    def take_events(self) -> list[IdentityEvent]:
        shared = self._shared()
        with shared.lock:
            return shared.resolver.take_events()

    def figures(self) -> Mapping[str, float]:
        shared = self._shared()
        with shared.lock:
            resolver = shared.resolver
            return {
                "identities": resolver.identities,
                "capacity": resolver.capacity,
                "embeddings_accepted": resolver.accepted,
                "embeddings_refused": sum(resolver.refused.values()),
                "swaps_cut": resolver.cuts,
                "turned_away": resolver.turned_away,
                "clock_jumps": resolver.clock_jumps,
                **{f"decisions_{state.value}": resolver.decisions[state.value] for state in State},
                **{f"refused_{reason}": resolver.refused[reason] for reason in REFUSALS},
                **resolver.calibration(),
            }

    def camera_figures(self) -> Mapping[str, Mapping[str, float]]:
        shared = self._shared()
        with shared.lock:
            return {camera: {"drifts": count} for camera, count in shared.resolver.drifts.items()}

    def _shared(self) -> SharedResolver:
        # Looked up once: the file's path is resolved for it, and that costs as much as several decisions.
        return self._started or shared_resolver(self.site)

    def _resolve(self, sightings: Sequence[Sightings]) -> Sequence[Decision]:
        shared = self._shared()
        try:
            with shared.lock:
                return shared.resolver.resolve(sightings)
        except KeyError:
            known = load_site(Path(self.site)).cameras
            unknown = [seen.camera for seen in sightings if seen.camera not in known]
            if not unknown:
                raise
            raise ConfigError(_missing(self.site, unknown, known)) from None


def _missing(site: str, unknown: Sequence[str], known: Iterable[str]) -> str:
    wanted = f"expected {', '.join(unknown)} among them, as frames come from there"
    return f"{site}: cameras: {wanted}; found {', '.join(known)}"
