"""What the pyfuncs of this project are to their host: batches of frames in, attributes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from savant_reid.hosts.batch import FrameView
from savant_reid.identity.types import IdentityEvent

# `element.label` of the objects that are people, as the shipped module names them.
PEOPLE = "person_detector.person"


@dataclass(frozen=True)
class KafkaOutput:
    """brokers: HOST:PORT[,HOST:PORT…]. spool: folder for what waits for them. config: see sinks.kafka_settings."""

    brokers: str
    spool: Path
    config: Path | None = None


class Plugin:
    """Base of the pyfuncs. The host calls the hooks on one thread: on_start, then batches, then on_stop.

    embedding_model: name of the element whose embeddings the pyfunc reads, None where it reads none; the host refuses
    a name that its module does not have. people: `element.label` of the objects it is given, as the module names them.
    joint: True where the frames of a moment are decided together; a host may give others theirs one at a time.
    kafka: where Savant's host sends the decisions beside what leaves Savant; the local host has it from its user.
    """

    embedding_model: str | None = None
    people: str = PEOPLE
    joint: bool = False
    kafka: KafkaOutput | None = None

    def on_start(self) -> None:
        """Called once, before the first batch."""

    def accept_model(self, model: str) -> None:
        """Told before the first batch which model makes the embeddings, where the host knows: its name and SHA-256.

        Raises ConfigError where what the pyfunc works with was made by another one.
        """

    def refuses(self, camera: str) -> str | None:  # noqa: ARG002 - most take every camera
        """Why this camera's frames are no use to the pyfunc, with what to change; None where they are welcome."""
        return None

    def on_source_add(self, camera: str) -> None:
        """A camera begins, or begins anew."""

    def on_source_eos(self, camera: str) -> None:
        """A camera's stream has ended; it may begin anew."""

    def on_source_delete(self, camera: str) -> None:
        """A camera is gone."""

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        """All frames of one moment, at most one per camera."""
        raise NotImplementedError

    def take_events(self) -> list[IdentityEvent]:
        """Identity events since the last call; most pyfuncs have none."""
        return []

    @property
    def site_name(self) -> str:
        """The site that its events are of; empty for pyfuncs without events."""
        return ""

    def figures(self) -> Mapping[str, float]:
        """What is worth watching while it runs: plain numbers by name (letters and _), the same names each time."""
        return {}

    def camera_figures(self) -> Mapping[str, Mapping[str, float]]:
        """The like by camera: figures as above, of each camera that the plugin knows."""
        return {}

    def on_stop(self) -> None:
        """Called once, after the last batch."""
