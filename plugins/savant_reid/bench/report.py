"""All engines and baselines on one recording, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from savant_reid.bench.answers import Answers
from savant_reid.bench.baselines.greedy_tracklets import greedy_tracklets
from savant_reid.bench.baselines.micro_track import micro_track
from savant_reid.bench.baselines.nearest_neighbour import nearest_neighbour
from savant_reid.bench.baselines.oracle_tracks import oracle_tracks
from savant_reid.bench.baselines.strong import strong
from savant_reid.bench.baselines.sweep import Tuned
from savant_reid.bench.engine import ENGINE, EngineRun, run_engine, tunings
from savant_reid.bench.gatherer import RowGatherer
from savant_reid.bench.identification import Rates, rates
from savant_reid.bench.repaired import repaired
from savant_reid.bench.rows import Rows
from savant_reid.bench.scores import Score, idf1, score
from savant_reid.bench.source import Source

Json = dict[str, object]
BASELINES: Mapping[str, Callable[[Rows, Source], Tuned]] = {
    "nearest_neighbour": lambda rows, _: nearest_neighbour(rows),
    "micro_track": lambda rows, _: micro_track(rows),
    "greedy_tracklets": lambda rows, _: greedy_tracklets(rows),
    "strong": lambda rows, source: strong(rows, source.windows),
    "oracle_tracks": lambda rows, _: Tuned(oracle_tracks(rows), {}),
}
_SHOWN = ("IDF1", "HOTA", "FNIR", "FPIR", "FNIR_confirmed", "FPIR_confirmed", "ids", "shared_ids", "seconds")


@dataclass(frozen=True)
class Line:
    """One competitor. seconds: of the engine inside `resolve`; of a baseline with its sweep."""

    name: str
    score: Score
    answered: Rates
    confirmed: Rates
    seconds: float
    more: Mapping[str, object]

    def to_json(self) -> Json:
        return {
            "IDF1": self.score.idf1,
            "IDP": self.score.idp,
            "IDR": self.score.idr,
            "HOTA": self.score.hota,
            "DetA": self.score.deta,
            "AssA": self.score.assa,
            "FPIR": self.answered.fpir,
            "FNIR": self.answered.fnir,
            "FPIR_confirmed": self.confirmed.fpir,
            "FNIR_confirmed": self.confirmed.fnir,
            "ids": self.score.identities,
            "people": self.score.people,
            "shared_ids": self.score.shared_ids,
            "seconds": self.seconds,
            **self.more,
        }


def compare(
    source: Source,
    only: Sequence[str] = (),
    ablations: bool = False,
    tell: Callable[[Line], None] | None = None,
) -> tuple[Rows, list[Line]]:
    """Run the engine and every baseline, or `only` those named."""
    gatherer = RowGatherer(source.cameras, with_embeddings=_wanted(BASELINES, only))
    rows: Rows | None = None
    lines: list[Line] = []

    def keep(line: Line) -> None:
        lines.append(line)
        if tell is not None:
            tell(line)

    for name, tuning in tunings().items():
        if (name in only) if only else (name == ENGINE or ablations):
            run = run_engine(source, tuning, gatherer=gatherer if rows is None else None)
            rows = gatherer.rows() if rows is None else rows
            keep(_line(name, rows, run.answers, run.seconds, engine_figures(run, rows)))
    if rows is None:
        for moment in source.moments():
            gatherer.add(moment)
        rows = gatherer.rows()
    for name, baseline in BASELINES.items():
        if not only or name in only:
            start = time.perf_counter()
            tuned = baseline(rows, source)
            keep(_line(name, rows, tuned.answers, time.perf_counter() - start, {"parameters": tuned.parameters}))
    return rows, lines


def _wanted(names: Iterable[str], only: Sequence[str]) -> bool:
    """Whether some baseline that looks at embeddings runs."""
    return any((not only or name in only) and name != "oracle_tracks" for name in names)


def _line(name: str, rows: Rows, answers: Answers, seconds: float, more: Mapping[str, object]) -> Line:
    return Line(
        name, score(rows, answers), rates(rows, answers), rates(rows, answers, confirmed_only=True), seconds, more
    )


def engine_figures(run: EngineRun, rows: Rows) -> Json:
    """What only the engine has: costs, and what it used."""
    return {
        "IDF1_repaired": idf1(rows, repaired(rows, run.answers, run.history)),
        "us_per_sighting": run.us_per_sighting,
        "settled_us_per_sighting": run.settled_us,
        "worst_moment_ms": run.worst_moment_s * 1e3,
        "identities_held": run.identities_held,
        "peak_memory_mib": run.peak_memory_mib,
        "embeddings_used_per_person_second": run.accepted / max(rows.person_seconds, 1e-9),
        "events": dict(run.events),
    }


def recording_figures(source: Source, rows: Rows) -> Json:
    """What the recording is like."""
    return {
        "name": source.name,
        "cameras": len(rows.cameras),
        "people": rows.people,
        "tracks": rows.tracks,
        "sightings": len(rows),
        "truth_boxes": int(rows.truth_size.sum()),
        "false_detections": int((rows.person < 0).sum()),
        "seconds": rows.duration_s,
        "sightings_per_second": len(rows) / max(rows.duration_s, 1e-9),
    }


def as_json(source: Source, rows: Rows, lines: Sequence[Line]) -> str:
    """One object: the recording, and each competitor's figures by name."""
    results = {line.name: line.to_json() for line in lines}
    return json.dumps({"recording": recording_figures(source, rows), "results": results})


def header() -> str:
    return " ".join([" " * 22, *(f"{name.replace('_confirmed', '*'):>10}" for name in _SHOWN)])


def as_text(line: Line) -> str:
    values = line.to_json()
    cells = [values[name] for name in _SHOWN]
    return " ".join([f"{line.name:<22}", *(f"{_cell(value):>10}" for value in cells)])


def footer(source: Source, rows: Rows) -> str:
    figures = recording_figures(source, rows)
    return (
        f"{source.name}: {figures['cameras']} cameras, {rows.people} people, {rows.tracks} tracks, "
        f"{len(rows)} sightings in {rows.duration_s:.0f} s. *: only confirmed answers count."
    )


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
