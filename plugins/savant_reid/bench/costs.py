"""What deciding costs: the identity stage at full load beside a naive one, memory, shared ids, embeddings used."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from savant_reid.bench import host, passing, search
from savant_reid.bench.engine import EngineRun, run_engine
from savant_reid.bench.gatherer import RowGatherer
from savant_reid.bench.presets import PresetSource
from savant_reid.bench.rows import Rows
from savant_reid.bench.scores import identities
from savant_reid.bench.tracklets import Float32s
from savant_reid.testing import preset

Figure = dict[str, object]
# The preset `huge`: 80 cameras, 1,200 people in view, 10 frames a second. In the second half of so much of it, which is
# what counts, the gallery holds some 10,000 prototypes.
LOAD_SECONDS = 90.0
PROTOTYPES = 10_000
NAIVE_OBJECTS = 300
# People who pass by and never come back, in a gallery with room for few of them.
PASSING, CAPACITY = 5_000, 500


def measure(load_seconds: float = LOAD_SECONDS, people: int = PASSING) -> list[Figure]:
    """All figures that are there, each {what, value, unit, target, baseline …}."""
    figures = [*_under_load(load_seconds), memory_with_people_passing(people)]
    return [*figures, *host.measure(), *search.measure()]


def _under_load(seconds: float) -> list[Figure]:
    source = PresetSource("huge", 0, preset("huge", 0, seconds=seconds))
    gatherer = RowGatherer(source.cameras)
    run = run_engine(source, gatherer=gatherer)
    rows = gatherer.rows()
    naive = naive_us(rows)
    return [
        {
            "what": "identity stage, per tracked person and frame",
            "value": run.settled_us,
            "unit": "us of CPU time",
            "target": 4.0,
            "baseline": {"naive loop per object over all prototypes": naive},
            "sightings_per_second": len(rows) / max(rows.duration_s, 1e-9),
            "prototypes": round(run.settled_prototypes),
            "from_the_start_us": run.us_per_sighting,
            "share_of_a_core": run.settled_us * 1e-6 * len(rows) / max(rows.duration_s, 1e-9),
            "identities": run.identities_held,
            "worst_moment_ms": run.worst_moment_s * 1e3,
        },
        {
            "what": "shared ids inside one frame",
            "value": identities(rows, run.answers.global_id)[1],
            "unit": "rows",
            "target": 0,
            "baseline": {"share with plain argmax": plain_argmax_share(rows)},
            "of": len(rows),
        },
        _embeddings_used(run, rows),
    ]


def _embeddings_used(run: EngineRun, rows: Rows) -> Figure:
    return {
        "what": "embeddings per person and second",
        "value": len(rows.embeddings) / max(rows.person_seconds, 1e-9),
        "unit": "1/s",
        "target": 1.0,
        "baseline": {"every frame": len(rows) / max(rows.person_seconds, 1e-9)},
        "accepted": run.accepted,
    }


def naive_us(rows: Rows, objects: int = NAIVE_OBJECTS, prototypes: int = PROTOTYPES) -> float:
    """Microseconds of CPU time per object: cosine with every prototype, one object after the other."""
    gallery, probes = _gallery_and_probes(rows, objects, prototypes)
    start = time.process_time()
    for probe in probes:
        scores = gallery @ (probe / np.linalg.norm(probe))
        best = int(np.argmax(scores))
        _ = best if scores[best] > 0.7 else None
    return (time.process_time() - start) / max(len(probes), 1) * 1e6


def plain_argmax_share(rows: Rows, frames: int = 200, prototypes: int = PROTOTYPES) -> float:
    """Share of rows of the last frames whose most similar person somebody else in their frame has too.

    Asked with a track's last embedding, against the first ones of the recording under their true names.
    """
    gallery, _ = _gallery_and_probes(rows, 0, prototypes)
    with_embedding = np.flatnonzero(rows.embedding_of >= 0)
    names = np.resize(rows.person[with_embedding][:prototypes], prototypes)
    last = np.full(rows.tracks, -1)
    last[rows.track[with_embedding]] = rows.embedding_of[with_embedding]
    mine = np.flatnonzero((rows.frame > rows.frame[-1] - frames) & (last[rows.track] >= 0))
    probes = np.asarray(rows.embeddings[last[rows.track[mine]]], np.float32)
    keys = np.stack([rows.frame[mine], names[(probes @ gallery.T).argmax(axis=1)]], axis=1)
    return 1.0 - len(np.unique(keys, axis=0)) / max(len(mine), 1)


def _gallery_and_probes(rows: Rows, objects: int, prototypes: int) -> tuple[Float32s, Float32s]:
    """The first embeddings as prototypes, the last ones as probes; repeated if there are too few."""
    gallery = np.asarray(np.resize(rows.embeddings[:prototypes], (prototypes, rows.embeddings.shape[1])), np.float32)
    return np.ascontiguousarray(gallery), np.asarray(rows.embeddings[len(rows.embeddings) - objects :], np.float32)


def memory_with_people_passing(people: int = PASSING) -> Figure:
    """Resident memory between the first half, when the gallery has long been full, and the end."""
    readings = passing.measure(people, CAPACITY)
    halfway, end = readings[len(readings) // 2], readings[-1]
    return {
        "what": f"memory growth while {end.people - halfway.people} more people pass through a gallery of {CAPACITY}",
        "value": end.resident_mib - halfway.resident_mib,
        "unit": "MiB",
        "target": 0.0,
        "identities_held": end.held,
    }


def as_text(figures: Sequence[Figure]) -> str:
    """A line per figure."""
    return "\n".join(_line(figure) for figure in figures)


def _line(figure: Figure) -> str:
    baseline = figure.get("baseline") or {}
    beside = ", ".join(f"{name} {_number(value)}" for name, value in baseline.items())  # type: ignore[attr-defined]
    text = f"{figure['what']}: {_number(figure.get('value'))} {figure.get('unit', '')}"
    return text + f" (target {_number(figure.get('target'))}{'; ' + beside if beside else ''})"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
