"""A generated recording as a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from savant_reid.bench.source import LabelledMoment
from savant_reid.identity.policy import Policy
from savant_reid.identity.topology import Topology
from savant_reid.testing import Recording, RecordingSettings, preset
from savant_reid.testing.writer import site_of


class PresetSource:
    """Raises ConfigError for a preset that does not exist."""

    def __init__(self, name: str, seed: int = 0, settings: RecordingSettings | None = None) -> None:
        self.name = f"{name}, seed {seed}"
        self._recording = Recording(settings or preset(name, seed))

    @property
    def cameras(self) -> Sequence[str]:
        return self._recording.cameras

    @property
    def windows(self) -> Mapping[tuple[str, str], tuple[float, float]]:
        return self._recording.windows

    @property
    def overlaps(self) -> Sequence[tuple[str, str]]:
        return self._recording.overlaps

    def topology(self) -> Topology:
        """As the site file of the recording declares it."""
        return site_of(self._recording).topology()

    def policy(self) -> Policy:
        return site_of(self._recording).policy()

    def moments(self) -> Iterator[LabelledMoment]:
        for moment in self._recording.moments():
            truth = [np.zeros(0, np.int64), *(frame.persons for frame in moment.truth)]
            yield LabelledMoment(moment.frame, moment.sightings, moment.persons, np.concatenate(truth))
