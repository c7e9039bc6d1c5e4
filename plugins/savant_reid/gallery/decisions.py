"""What the owner decides about a finished run: merge, split, forget. Written down as constraints, applied at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from savant_reid.errors import DataError
from savant_reid.gallery import corrections as kept
from savant_reid.gallery import rewriting
from savant_reid.gallery.corrections import Merge, Split, spans_of
from savant_reid.gallery.people import Person, Visit
from savant_reid.gallery.run import Run
from savant_reid.gallery.stretches import Stretch
from savant_reid.identity.constraints import Span
from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.sinks.identities import event_message
from savant_reid.sinks.repairs import without_shared
from savant_reid.sinks.run_folder import FRAMES, IDENTITIES, METRICS, REPORT, SIGHTINGS, TRACKS

log = logging.getLogger(__name__)

BY_HAND = "by hand"
# Clocks of cameras differ; who is in two places for less than this may have walked.
_SAME_TIME_NS = 1_000_000_000


def check_finished(run: Run, unfinished: bool) -> None:
    """Raises DataError for a run that may still be written to: what is rewritten would be lost to its writer."""
    if not unfinished and not (run.folder / METRICS).is_file():
        raise DataError(
            f"{run.folder}: expected a run that has come to its end ({METRICS}), found none; if it was killed and "
            "nobody writes to it any more, say --unfinished"
        )


def merge(run: Run, survivor_id: int, gone_id: int, corrections: Path, force: bool = False) -> int:
    """`gone_id` was the same person as `survivor_id`, which lives on; returns how many rows of tracks.csv changed.

    Raises DataError where both were seen side by side in one frame, unless `force`: then the rows of `gone_id` in such
    frames stay without identity.
    """
    survivor = run.person(survivor_id)
    if run.history.present(survivor_id) == run.history.present(gone_id):
        if survivor_id == gone_id:
            raise DataError(f"expected two IDs, found {survivor_id} twice")
        log.info("%d and %d were one person already, %d", survivor_id, gone_id, survivor.global_id)
        return _rename(run, dict.fromkeys(run.history.older_ids(survivor.global_id), survivor.global_id))
    gone = run.person(gone_id)
    _check_not_together(run, survivor, gone, force)
    ids = survivor.global_id, gone.global_id
    decision = Merge(ids, (spans_of(_stretches(survivor)), spans_of(_stretches(gone))))
    kept.add_correction(corrections, kept.merge_line(decision))
    where = gone.visits[-1]
    event = _event(EventKind.MERGED, run, gone.global_id, where, other_id=survivor.global_id)
    rewriting.append_events(run.folder / IDENTITIES, [event])
    older = [*run.history.older_ids(gone.global_id), gone.global_id, *run.history.older_ids(survivor.global_id)]
    return _rename(run, dict.fromkeys(older, survivor.global_id))


def split(run: Run, global_id: int, tracks: Sequence[tuple[str, int]], since_ns: int | None, corrections: Path) -> int:
    """These tracks of `global_id` (from since_ns on) were somebody else; returns the new ID."""
    person = run.person(global_id)
    moved = [one for track in tracks for one in _moved(run, person, track, since_ns)]
    stays = [
        one for one in _stretches(person) if one not in moved or (since_ns is not None and one.first_ns < since_ns)
    ]
    if not stays:
        raise DataError(f"expected a part of {person.global_id} that stays, found that it would all go")
    new_id = max(run.history.newest_id(), *(stretch.global_id for stretch in run.stretches)) + 1
    events = []
    for one in moved:
        span = Span(one.camera, one.track_id, max(one.first_ns, since_ns or one.first_ns), one.last_ns)
        decision = Split(person.global_id, new_id, span, since_ns, spans_of(stays))
        kept.add_correction(corrections, kept.split_line(decision))
        where = Visit(new_id, one.camera, [one])
        events.append(_event(EventKind.SPLIT, run, person.global_id, where, other_id=new_id, since_ns=since_ns))
    events.append(_event(EventKind.CONFIRMED, run, new_id, Visit(new_id, moved[-1].camera, [moved[-1]])))
    rewriting.append_events(run.folder / IDENTITIES, events)
    old = {str(person.global_id), *map(str, run.history.older_ids(person.global_id))}

    def change(frame: rewriting.Frame) -> rewriting.Frame:
        for row in frame:
            if row[3] in old and (row[0], int(row[2])) in tracks and (since_ns is None or int(row[9]) >= since_ns):
                row[3] = str(new_id)
        return frame

    rewriting.rewrite_tracks(run.folder / TRACKS, change)
    return new_id


def forget(run: Run, global_id: int, corrections: Path) -> dict[str, int]:
    """Nothing of the person is left in the run's files but that there was one; returns rows removed by file.

    tracks.csv comes last: it says where to look, should this be cut short and done again.
    """
    person = run.person(global_id)
    ids = [person.global_id, *run.history.older_ids(person.global_id)]
    spans = spans_of(_stretches(person))
    texts = set(map(str, ids))
    removed = {
        SIGHTINGS: rewriting.remove_sightings(run.folder / SIGHTINGS, spans),
        FRAMES: rewriting.remove_from_frames(run.folder / FRAMES, ids, spans),
    }
    kept.forget_corrections(corrections, ids)
    rewriting.remove_events(run.folder / IDENTITIES, ids)
    erased = IdentityEvent(EventKind.ERASED, _end_ns(run), person.global_id, reason=BY_HAND)
    rewriting.append_events(run.folder / IDENTITIES, [event_message(erased, run.site, 0)])
    removed[TRACKS] = rewriting.rewrite_tracks(
        run.folder / TRACKS, lambda frame: [row for row in frame if row[3] not in texts]
    )
    return removed


def renew_report(run: Run) -> None:
    """report.html shows people: one that is there is made again."""
    if (run.folder / REPORT).is_file():
        from savant_reid.report import write_report

        write_report(run.folder)


def _moved(run: Run, person: Person, track: tuple[str, int], since_ns: int | None) -> list[Stretch]:
    """The stretches of one track that carry the person's identity, at least one."""
    found = [one for one in _stretches(person) if (one.camera, one.track_id) == track]
    found = [one for one in found if since_ns is None or one.last_ns >= since_ns]
    if not found:
        known = sorted({f"{one.camera}:{one.track_id}" for one in _stretches(person)})
        when = "" if since_ns is None else f" at or after {since_ns * 1e-9:g} s"
        expected = f"expected one of the tracks of {person.global_id}{when} ({', '.join(known)})"
        raise DataError(f"{run.folder}: {expected}, found {track[0]}:{track[1]}")
    return found


def _stretches(person: Person) -> list[Stretch]:
    return [stretch for visit in person.visits for stretch in visit.stretches]


def _check_not_together(run: Run, survivor: Person, gone: Person, force: bool) -> None:
    both = {str(survivor.global_id), str(gone.global_id)}
    frames = (frame for frame in rewriting.frames_of(run.folder / TRACKS) if both <= {row[3] for row in frame})
    first = next(frames, None)
    if first is not None and not force:
        count = 1 + sum(1 for _ in frames)
        raise DataError(
            f"{survivor.global_id} and {gone.global_id} are side by side in {count} frames, first in frame "
            f"{first[0][1]} of {first[0][0]}: they are two people, unless one box is false; --force merges them "
            "nevertheless, without an identity for the second box in these frames"
        )
    for one in survivor.visits:
        for other in gone.visits:
            shared = min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)
            apart = one.camera != other.camera and frozenset((one.camera, other.camera)) not in (run.overlaps or ())
            if apart and shared >= _SAME_TIME_NS:
                log.warning(
                    "for %.1f s the one was before %s, the other before %s", shared * 1e-9, one.camera, other.camera
                )


def _rename(run: Run, into: dict[int, int]) -> int:
    """Rows of tracks.csv that carry a key of `into` get its value, except where this is in the frame already."""
    texts = {str(old): new for old, new in into.items()}

    def change(frame: rewriting.Frame) -> rewriting.Frame:
        said = [int(row[3]) for row in frame]
        final = [texts.get(row[3], global_id) for row, global_id in zip(frame, said, strict=True)]
        for row, global_id in zip(frame, without_shared(final, said), strict=True):
            row[3] = str(global_id)
        return frame

    return rewriting.rewrite_tracks(run.folder / TRACKS, change)


def _event(
    kind: EventKind, run: Run, global_id: int, where: Visit, other_id: int | None = None, since_ns: int | None = None
) -> dict[str, Any]:
    """An event of now, which the owner's word is the reason for, about the visit's last track."""
    last = max(where.stretches, key=lambda one: one.last_ns)
    event = IdentityEvent(
        kind, _end_ns(run), global_id, last.camera, last.track_id, other_id, BY_HAND, since_ns=since_ns
    )
    return event_message(event, run.site, 0)


def _end_ns(run: Run) -> int:
    """The last moment of the run: events are in the order of time."""
    times = [int(event["time_ns"]) for event in run.history.events]
    return max(times + [stretch.last_ns for stretch in run.stretches])
