"""Answers as text for people and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from savant_reid.gallery.people import Person, Visit
from savant_reid.gallery.run import Run
from savant_reid.gallery.search import Answer

Json = dict[str, Any]
# Clocks of live cameras count from 1970, those of files from the start of the run.
_WALL_CLOCK_NS = 10**17


def clock(time_ns: int) -> str:
    """h:mm:ss.s since the start, or date and time (UTC) for the clock of live cameras."""
    if time_ns >= _WALL_CLOCK_NS:
        return datetime.fromtimestamp(time_ns * 1e-9, timezone.utc).isoformat(sep=" ", timespec="seconds")
    sign, tenths = ("-" if time_ns < 0 else ""), round(abs(time_ns) * 1e-8)
    minutes, rest = divmod(tenths, 600)
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{rest // 10:02}.{rest % 10}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be, the last one not padded."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def visit_json(visit: Visit) -> Json:
    """One visit; times in ns on the run's clock."""
    return {
        "camera": visit.camera,
        "first_ns": visit.first_ns,
        "last_ns": visit.last_ns,
        "seconds": (visit.last_ns - visit.first_ns) * 1e-9,
        "tracks": sorted({stretch.track_id for stretch in visit.stretches}),
    }


def person_json(run: Run, person: Person) -> Json:
    """A person with all visits; older_ids: what was merged into this one."""
    return {
        "global_id": person.global_id,
        "state": run.history.state(person.global_id),
        "older_ids": run.history.older_ids(person.global_id),
        "first_ns": person.first_ns,
        "last_ns": person.last_ns,
        "cameras": person.cameras,
        "visits": [visit_json(visit) for visit in person.visits],
    }


def people_table(run: Run) -> str:
    """A line for each person of the run."""
    rows = [
        [
            str(person.global_id),
            run.history.state(person.global_id),
            clock(person.first_ns),
            clock(person.last_ns),
            str(len(person.visits)),
            ", ".join(person.cameras),
        ]
        for person in run.people.values()
    ]
    return table(["ID", "state", "first seen", "last seen", "visits", "cameras"], rows)


def visits_table(person: Person) -> str:
    """A line for each visit, in order, with tracks as the commands take them: CAMERA:TRACK."""
    rows = [
        [
            visit.camera,
            clock(visit.first_ns),
            clock(visit.last_ns),
            f"{(visit.last_ns - visit.first_ns) * 1e-9:.1f} s",
            ", ".join(f"{visit.camera}:{track}" for track in visit_json(visit)["tracks"]),
        ]
        for visit in person.visits
    ]
    return table(["camera", "from", "to", "length", "tracks"], rows)


def event_line(event: Json) -> str:
    """One event in words."""
    words = f"{clock(event['time_ns'])}  {event['kind']} {event['global_id']}"
    if isinstance(event.get("other_id"), int):
        words += f" into {event['other_id']}" if event["kind"] == "merged" else f", became {event['other_id']}"
    if event.get("camera") is not None:
        words += f" ({event['camera']}:{event.get('track_id')})"
    return words + (f": {event['reason']}" if event.get("reason") else "")


def answer_json(run: Run, answer: Answer, limit: int) -> Json:
    """The best `limit` people; nobody: the probability that it is none of the run."""
    return {
        "people": [
            {
                "probability": round(match.probability, 6),
                "similarity": round(match.similarity, 4),
                **person_json(run, match.person),
            }
            for match in answer.matches[:limit]
        ],
        "nobody": round(answer.nobody, 6),
        "reranked": answer.reranked,
        "learned_from": {"same": answer.likelihood.same, "different": answer.likelihood.different},
    }


def answer_table(answer: Answer, limit: int) -> str:
    """People best first, each with where they were and when; then the chance that it is none of them."""
    rows = [
        [
            str(match.person.global_id),
            f"{match.probability:.3f}",
            f"{match.similarity:.3f}",
            "; ".join(f"{v.camera} {clock(v.first_ns)} to {clock(v.last_ns)}" for v in match.person.visits),
        ]
        for match in answer.matches[:limit]
    ]
    rows.append(["nobody", f"{answer.nobody:.3f}", "", ""])
    return table(["ID", "probability", "similarity", "where and when"], rows)
