"""The swim-lane chart: a lane per identity, a bar per presence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from savant_reid.report.axis import Axis, duration
from savant_reid.report.palette import CameraColour
from savant_reid.report.presences import Presence
from savant_reid.report.rows import Rows
from savant_reid.report.truth import main_persons, segments, true_persons

SHOWN_LANES = 40
# More would make a page that browsers choke on; the note says how many are left out.
MAX_LANES = 1000
# Narrower bars would not be seen: 0.35 % of a chart 800 px wide is 3 px.
MIN_PERCENT = 0.35
_MARKS = ("created", "confirmed", "enrolled", "merged", "split", "expired", "erased")


@dataclass
class Bar:
    """Places in percent of the axis; sure_x: where the identity is confirmed from, within [x, x + width]."""

    camera: CameraColour
    x: float
    width: float
    sure_x: float
    title: str


@dataclass
class Strip:
    person: int
    x: float
    width: float
    title: str
    is_fault: bool


@dataclass
class Mark:
    kind: str
    x: float
    title: str


@dataclass
class Lane:
    global_id: int
    presences: list[Presence] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    strips: list[Strip] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    person: int | None = None

    @property
    def summary(self) -> str:
        cameras = len({one.camera for one in self.presences})
        seconds = sum(one.end_ns - one.start_ns for one in self.presences) / 1e9
        return f"{duration(seconds)}, {cameras} camera{'s' if cameras > 1 else ''}"

    @property
    def faults(self) -> int:
        return sum(strip.is_fault for strip in self.strips)


@dataclass
class Chart:
    """people: how many there were in truth. unfound: those of them whom no identity mostly is."""

    axis: Axis
    lanes: list[Lane]
    has_truth: bool
    people: int | None
    unfound: list[int] = field(default_factory=list)

    @property
    def has_provisional(self) -> bool:
        return any(bar.sure_x > bar.x for lane in self.lanes for bar in lane.bars)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in _MARKS if any(mark.kind == kind for lane in self.lanes for mark in lane.marks)]


def draw_lanes(
    rows: Rows,
    presences: list[Presence],
    events: list[dict[str, Any]],
    truth: Rows | None,
    colours: dict[str, CameraColour],
) -> Chart:
    """Lanes in the order of first appearance."""
    axis = _axis(rows, truth)
    survivors = _survivors(events)
    sure_ns = _sure_from(events, survivors)
    lanes: dict[int, Lane] = {}
    for presence in presences:
        lane = lanes.setdefault(presence.global_id, Lane(presence.global_id))
        lane.presences.append(presence)
        lane.bars.append(_bar(presence, axis, sure_ns.get(presence.global_id), colours[presence.camera]))
    for event in events:
        owner = lanes.get(survivors.get(event["global_id"], event["global_id"]))
        if owner is not None and event["kind"] in _MARKS:
            owner.marks.append(Mark(event["kind"], axis.percent(event["time_ns"]), _event_title(event, axis)))
    if truth is None:
        return Chart(axis, list(lanes.values()), False, None)
    _add_truth(lanes, presences, rows, truth, axis)
    people = np.unique(truth.global_id[truth.global_id >= 0]).tolist()
    found = {lane.person for lane in lanes.values()}
    return Chart(axis, list(lanes.values()), True, len(people), [one for one in people if one not in found])


def _axis(rows: Rows, truth: Rows | None) -> Axis:
    times = rows.time_ns if truth is None else np.concatenate([rows.time_ns, truth.time_ns])
    return Axis(int(times.min()), int(times.max())) if len(times) else Axis(0, 0)


def _bar(presence: Presence, axis: Axis, sure_ns: float | None, colour: CameraColour) -> Bar:
    x, width = _span(presence.start_ns, presence.end_ns, axis)
    sure_x = x
    if sure_ns is not None:
        sure_x = x + width * min(max((sure_ns - presence.start_ns) / max(presence.end_ns - presence.start_ns, 1), 0), 1)
    seconds = (presence.end_ns - presence.start_ns) / 1e9
    times = f"{axis.label(presence.start_ns)} to {axis.label(presence.end_ns)}"
    title = f"Identity {presence.global_id} on {presence.camera}, {times} ({duration(seconds)})"
    return Bar(colour, x, width, round(sure_x, 3), title)


def _span(start_ns: int, end_ns: int, axis: Axis) -> tuple[float, float]:
    x = axis.percent(start_ns)
    width = max(axis.percent(end_ns) - x, MIN_PERCENT)
    return min(x, 100 - width), round(width, 3)


def _survivors(events: list[dict[str, Any]]) -> dict[int, int]:
    """Merged identity to the one that it lives on in."""
    into: dict[int, int] = {}
    for event in events:
        gone, kept = event["global_id"], event.get("other_id")
        if event["kind"] == "merged" and isinstance(kept, int):
            into = {old: kept if new == gone else new for old, new in into.items() if old != kept}
            into[gone] = kept
    return into


def _sure_from(events: list[dict[str, Any]], survivors: dict[int, int]) -> dict[int, float]:
    """Identity to the moment of its confirmation (inf: never). Identities without any event are not in it."""
    sure: dict[int, float] = {}
    for event in events:
        owner = survivors.get(event["global_id"], event["global_id"])
        when = event["time_ns"] if event["kind"] in ("confirmed", "enrolled") else float("inf")
        sure[owner] = min(sure.get(owner, float("inf")), when)
    return sure


def _event_title(event: dict[str, Any], axis: Axis) -> str:
    kind, who, other = event["kind"], event["global_id"], event.get("other_id")
    other_words = {"merged": f" into {other}", "split": f", identity {other} is somebody else"}
    where = f" on {event['camera']}" if event.get("camera") else ""
    reason = f": {event['reason']}" if event.get("reason") else ""
    return f"{axis.label(event['time_ns'])} identity {who} {kind}{other_words.get(kind, '')}{where}{reason}"


def _add_truth(lanes: dict[int, Lane], presences: list[Presence], rows: Rows, truth: Rows, axis: Axis) -> None:
    persons = true_persons(rows, truth)
    person_of, identity_of = main_persons(rows, persons)
    for presence in presences:
        lane = lanes[presence.global_id]
        lane.person = person_of.get(presence.global_id)
        for segment in segments(presence, rows, persons, person_of, identity_of):
            x, width = _span(segment.start_ns, segment.end_ns, axis)
            times = f"{axis.label(segment.start_ns)} to {axis.label(segment.end_ns)}"
            title = f"In truth person {segment.person}, {times}" + (f" - {segment.fault}" if segment.fault else "")
            lane.strips.append(Strip(segment.person, x, width, title, bool(segment.fault)))
