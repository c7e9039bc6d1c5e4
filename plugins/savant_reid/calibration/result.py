"""What a calibration says, as an object and as JSON (sinks/schemas/calibration.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from savant_reid.calibration.gathering import Gathered
from savant_reid.calibration.pairs import camera_pairs
from savant_reid.calibration.thresholds import Site, SiteThreshold, Spread, Threshold
from savant_reid.errors import ConfigError, DataError
from savant_reid.identity.learned import Learned
from savant_reid.identity.metric import Metric
from savant_reid.identity.topology import Topology

SCHEMA = "savant-reid/calibration/1"
# Fewer strangers on the whole site say nothing of a tail.
LEAST_STRANGERS = 50
# Cameras declared as apart may see the same floor if so many of the people seen at once look like one.
SAME_FLOOR_SHARE = 0.05
SAME_FLOOR_PAIRS = 30

Json = dict[str, object]


@dataclass(frozen=True)
class Source:
    """The recording: its name, embedding model, times of the first and the last row (None without rows)."""

    recording: str
    embedding_model: str
    first_ns: int | None
    last_ns: int | None
    rows: int


@dataclass(frozen=True)
class Calibration:
    """thresholds: of every pair of cameras, in the order of the site file; learned: what an engine can start from."""

    source: Source
    cameras: tuple[str, ...]
    target_fpir: float
    tracks: int
    site: SiteThreshold
    thresholds: Sequence[Threshold]
    learned: Learned
    warnings: Sequence[str]

    def names(self, threshold: Threshold) -> tuple[str, str]:
        return self.cameras[threshold.pair.a], self.cameras[threshold.pair.b]

    def to_json(self) -> Json:
        source = self.source
        return {
            "schema": SCHEMA,
            "recording": {
                "name": source.recording,
                "first_ns": source.first_ns,
                "last_ns": source.last_ns,
                "rows": source.rows,
                "tracks": self.tracks,
            },
            "embedding_model": source.embedding_model,
            "dimension": self.learned.dimension,
            "cameras": list(self.cameras),
            "target_fpir": self.target_fpir,
            "site": {"tail": self.site.tail, **_figures(self.site)},
            "pairs": [{"cameras": list(self.names(t)), "source": t.source, **_figures(t)} for t in self.thresholds],
            "warnings": list(self.warnings),
        }


def check_target(target: float) -> None:
    """Raises ConfigError for a rate that no threshold can have."""
    if not 0.0 < target < 1.0:
        raise ConfigError(f"--target-fpir: expected a rate above 0 and below 1, such as 0.01, found {target:g}")


def calibration_of(gathered: Gathered, topology: Topology, source: Source, target: float, seed: int = 0) -> Calibration:
    """Raises DataError where there are too few people to learn from."""
    check_target(target)
    learned = gathered.learned
    if learned is None:
        raise DataError(f"{source.recording}: embedding: expected embeddings to learn from, found none that is sound")
    pairs = camera_pairs(gathered.tracks, topology, seed)
    strangers = sum(len(pair.strangers) for pair in pairs)
    if strangers < LEAST_STRANGERS:
        raise DataError(
            f"{source.recording}: expected at least {LEAST_STRANGERS} pairs of people visible at once (in cameras that "
            f"do not overlap), found {strangers} among {gathered.tracks_seen} tracks; record longer, or when it is busy"
        )
    site = Site(pairs, target)
    thresholds = [site.of(pair) for pair in pairs]
    names = tuple(topology.cameras)
    whole = site.threshold()
    warnings = [
        *_too_rare(whole, target),
        *_missing(thresholds, names),
        *_same_floor(thresholds, names, whole),
    ]
    return Calibration(source, names, target, gathered.tracks_seen, whole, thresholds, learned, warnings)


def metric_of(learned: Learned) -> Metric:
    """The metric as an engine that starts from these lessons has it."""
    metric = Metric(len(learned.cameras), learned.dimension)
    metric.start_from(learned.metric)
    return metric


def _too_rare(whole: SiteThreshold, target: float) -> list[str]:
    """A rate that not one of those who were seen stands for."""
    strangers = whole.strangers.pairs
    if strangers * target >= 1.0:
        return []
    return [
        f"a rate of {target:g} was asked, but only {strangers:.0f} pairs of people were seen at once: the thresholds "
        f"lie beyond what was seen and are guesses; expected at least {1 / target:.0f} pairs"
    ]


def _missing(thresholds: Sequence[Threshold], names: Sequence[str]) -> list[str]:
    """Cameras before which nobody was seen together with anybody else."""
    if len(names) == 1:
        return ["one camera only: nothing is known of the same people in other cameras"]
    known = {c for t in thresholds if t.strangers.pairs for c in (t.pair.a, t.pair.b)}
    return [
        f"camera {name}: nobody was seen there while somebody was seen elsewhere; it has the site's threshold"
        for c, name in enumerate(names)
        if c not in known
    ]


def _same_floor(thresholds: Sequence[Threshold], names: Sequence[str], whole: SiteThreshold) -> list[str]:
    """Pairs of cameras in which people seen at once are too often alike."""
    found = []
    for t in thresholds:
        strangers = t.pair.strangers
        if t.pair.a == t.pair.b or len(strangers) < SAME_FLOOR_PAIRS or not whole.met.pairs:
            continue
        alike = float((strangers > whole.met.mean).mean())
        if alike > SAME_FLOOR_SHARE:
            found.append(
                f"cameras {names[t.pair.a]} and {names[t.pair.b]}: {alike:.0%} of the people seen there at once look "
                "like one person; if they see the same floor, name them under overlaps in the site file"
            )
    return found


def _figures(threshold: Threshold | SiteThreshold) -> Json:
    return {
        "threshold": _rounded(threshold.similarity),
        "strangers": _spread(threshold.strangers),
        "met_again": _spread(threshold.met),
        "track_halves": _spread(threshold.halves),
        "expected_fnir": _rounded(threshold.missed),
    }


def _spread(spread: Spread) -> Mapping[str, float | None]:
    there = spread.pairs > 0
    return {
        "pairs": round(spread.pairs, 1),
        "mean": _rounded(spread.mean) if there else None,
        "std": _rounded(spread.std) if there else None,
    }


def _rounded(value: float) -> float:
    return round(float(value), 5)
