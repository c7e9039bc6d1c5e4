"""How honest the thresholds are: `python -m savant_reid.calibration.measure real:0 hard:0:600` (preset:seed:seconds).

The first half of a generated recording is calibrated on, without its truth; the second half is measured with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.presets import PresetSource
from savant_reid.bench.rows import NOBODY
from savant_reid.bench.source import LabelledMoment
from savant_reid.calibration.gathering import Gathering
from savant_reid.calibration.result import Calibration, Source, calibration_of, metric_of
from savant_reid.calibration.tracks import Track
from savant_reid.command_errors import plain_errors
from savant_reid.errors import ConfigError
from savant_reid.identity.topology import Topology
from savant_reid.testing import Moment

Int64s = NDArray[np.int64]
TARGETS = (0.01, 0.001)


@dataclass
class Passed:
    """How many pairs of strangers, and of one person, there were, and how many of them reach the threshold."""

    strangers: int = 0
    passed: int = 0
    same: int = 0
    found: int = 0

    @property
    def rate(self) -> float:
        return self.passed / max(self.strangers, 1)

    @property
    def missed(self) -> float:
        return 1.0 - self.found / max(self.same, 1)

    def add(self, passes: NDArray[np.bool_], strangers: NDArray[np.bool_], same: NDArray[np.bool_]) -> None:
        self.strangers += int(strangers.sum())
        self.passed += int((passes & strangers).sum())
        self.same += int(same.sum())
        self.found += int((passes & same).sum())


def labelled_tracks(moments: Iterable[Moment | LabelledMoment], topology: Topology) -> list[tuple[Track, int]]:
    """Tracks as a calibration would keep them, each with the person whom most of its rows show; no ghosts."""
    gathering = Gathering(topology)
    rows: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for moment in moments:
        for sightings, persons in zip(moment.sightings, moment.persons, strict=True):
            camera = topology.index[sightings.camera]
            for track_id, person in zip(sightings.track_ids.tolist(), persons.tolist(), strict=True):
                rows[camera, track_id].append((sightings.time_ns, person))
        gathering.take(moment.sightings)
    found = []
    for track in gathering.finish().tracks:
        of_track = rows[track.camera, track.track_id]
        shown = Counter(person for at_ns, person in of_track if track.first_ns <= at_ns <= track.last_ns)
        person = shown.most_common(1)[0][0] if shown else NOBODY
        if person != NOBODY:
            found.append((track, person))
    return found


def false_positives(
    calibration: Calibration, labelled: Sequence[tuple[Track, int]], topology: Topology
) -> dict[str, Passed]:
    """By kind of camera pair, and `all`: every pair of tracks, at once or not."""
    metric = metric_of(calibration.learned)
    camera = np.array([track.camera for track, _ in labelled], np.int64)
    person = np.array([person for _, person in labelled], np.int64)
    looks = metric.look(metric.centred(camera, np.array([track.mean for track, _ in labelled], np.float32)))
    found: dict[str, Passed] = defaultdict(Passed)
    for threshold in calibration.thresholds:
        a, b = threshold.pair.a, threshold.pair.b
        rows, columns = np.flatnonzero(camera == a), np.flatnonzero(camera == b)
        passes = looks[rows] @ looks[columns].T >= threshold.similarity
        valid = rows[:, None] < columns if a == b else np.ones(passes.shape, bool)
        same = person[rows][:, None] == person[columns]
        for kind in ("all", _kind(a, b, topology)):
            found[kind].add(passes, valid & ~same, valid & same)
    return dict(found)


def _kind(a: int, b: int, topology: Topology) -> str:
    if a == b:
        return "one camera"
    return "declared way" if {(a, b), (b, a)} & set(topology.windows) else "other cameras"


def measure(source: PresetSource, seconds: float | None = None) -> Iterator[str]:
    """One line for each target. seconds: of the recording; None for all of it."""
    topology = source.topology()
    moments = list(_until(source, seconds))
    half = len(moments) // 2
    gathered = Gathering(topology).take_all(moment.sightings for moment in moments[:half])
    labelled = labelled_tracks(moments[half:], topology)
    for target in TARGETS:
        calibration = calibration_of(gathered, topology, Source(source.name, "simulated", 0, 1, 1), target)
        rates = false_positives(calibration, labelled, topology)
        kinds = ", ".join(f"{kind} {one.rate:.3%} of {one.strangers}" for kind, one in sorted(rates.items()))
        missed, expected = rates["all"].missed, calibration.site.missed
        strangers = f"{calibration.site.strangers.pairs:.0f} strangers"
        yield f"{source.name}: asked {target:.1%}, {strangers}: {kinds}; FNIR {missed:.3f}, expected {expected:.3f}"


def _until(source: PresetSource, seconds: float | None) -> Iterator[LabelledMoment]:
    first_ns: int | None = None
    for moment in source.moments():
        now_ns = moment.sightings[0].time_ns
        first_ns = now_ns if first_ns is None else first_ns
        if seconds is not None and now_ns - first_ns > seconds * 1e9:
            return
        yield moment


@click.command()
@click.argument("recordings", nargs=-1, required=True, metavar="PRESET[:SEED[:SECONDS]]...")
def main(recordings: Sequence[str]) -> None:
    """How many strangers pass the thresholds that are calibrated on the first half of generated recordings."""
    with plain_errors():
        for source, seconds in list(map(_recording, recordings)):
            for line in measure(source, seconds):
                click.echo(line)


def _recording(text: str) -> tuple[PresetSource, float | None]:
    name, seed, seconds = [*text.split(":"), "", ""][:3]
    try:
        return PresetSource(name, int(seed or 0)), float(seconds) if seconds else None
    except ValueError as error:
        raise ConfigError(f"expected PRESET[:SEED[:SECONDS]], found {text!r}") from error


if __name__ == "__main__":
    main()
