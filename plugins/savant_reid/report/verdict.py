"""The run in one or two plain sentences, and the tiles above the page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from savant_reid.report.axis import duration
from savant_reid.report.lanes import Chart
from savant_reid.report.run_data import RunData, mapping
from savant_reid.report.tables import drops, number


class Tile(NamedTuple):
    value: str
    words: str


def verdict(data: RunData, chart: Chart) -> str:
    """How many people, how right, how quick, what was lost: a sentence each, as far as it is known."""
    sentences = [_people(data, chart), _identity(data, chart), _speed(data), _drops(data)]
    return " ".join(sentence for sentence in sentences if sentence)


def tiles(data: RunData, chart: Chart) -> list[Tile]:
    """The same as figures."""
    found = [
        Tile(str(len(chart.lanes)), "identities" + (f" for {chart.people} people" if chart.people is not None else ""))
    ]
    idf1, alone = _idf1(data, "overall"), _idf1(data, "single_camera_tracks")
    if idf1 is not None:
        beside = f", single-camera tracks alone {alone:.3f}" if alone is not None else ""
        found.append(Tile(f"{idf1:.3f}", f"IDF1 across all cameras{beside}"))
    factor = _realtime(data)
    if factor is not None:
        fps = number(data.metrics.get("frames_per_second"))
        found.append(Tile(f"{factor:.1f} x", "real time" + (f", {fps:.0f} frames/s" if fps is not None else "")))
    if data.metrics:
        lost = sum(count for _, what, count in drops(data.metrics) if what.startswith("frames dropped"))
        found.append(Tile(f"{lost:,}", "frames dropped"))
    return found


def speed_sentences(metrics: dict[str, Any]) -> list[str]:
    """What the run took: time, memory, embeddings."""
    found = {name: number(metrics.get(name)) for name in ("frames", "wall_seconds", "frames_per_second")}
    frames, seconds, per_second = found.values()
    sentences = []
    if frames is not None and seconds is not None:
        rate = "" if per_second is None else f", {per_second:.1f} frames/s over all cameras"
        sentences.append(f"{frames:,.0f} frames in {duration(seconds)}{rate}.")
    outside, memory = number(metrics.get("outside_share")), number(metrics.get("peak_memory_mb"))
    if outside is not None:
        sentences.append(f"{100 * outside:.1f} % of the time went to anything but models, decoding and encoding.")
    embeddings = number(mapping(metrics.get("identity")).get("embeddings_per_person_second"))
    if embeddings is not None:
        sentences.append(f"{embeddings:.2f} embeddings were made per person and second.")
    if memory is not None:
        sentences.append(f"Peak memory {memory:,.0f} MB.")
    return sentences


def started(text: Any) -> str:
    """An ISO time as people write it; what is none is shown as it is."""
    try:
        return datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return str(text) if text else ""


def _people(data: RunData, chart: Chart) -> str:
    n, cameras = len(chart.lanes), len(data.cameras)
    if not n:
        return "Nobody was identified."
    over = f"on {cameras} camera{'s' if cameras != 1 else ''}" + _length(data, chart)
    if chart.people is None:
        return f"{n} {'people were' if n > 1 else 'person was'} told apart {over}."
    if n == chart.people:
        return f"{n} identities were found {over}, as many as people walked through."
    return f"{n} identities were found {over}, where {chart.people} people walked through."


def _length(data: RunData, chart: Chart) -> str:
    seconds = number(data.metrics.get("video_seconds")) or chart.axis.seconds
    return f" in {duration(seconds)} of video" if seconds > 0 else ""


def _identity(data: RunData, chart: Chart) -> str:
    idf1, alone = _idf1(data, "overall"), _idf1(data, "single_camera_tracks")
    if idf1 is None:
        return ""
    text = f"{idf1:.0%} of the boxes carry the right identity (IDF1)"
    if alone is not None:
        text += f", against {alone:.0%} for single-camera tracks alone"
    faulty = sum(lane.faults > 0 for lane in chart.lanes)
    if faulty:
        text += f"; {faulty} lane{'s' if faulty > 1 else ''} below show{'s' if faulty == 1 else ''} a mistake"
    return text + "."


def _speed(data: RunData) -> str:
    factor = _realtime(data)
    if factor is None:
        return ""
    return (
        f"It ran {factor:.1f} times as fast as real time." if factor >= 1 else f"It ran at {factor:.0%} of real time."
    )


def _drops(data: RunData) -> str:
    if not data.metrics:
        return "The run did not come to its end."
    if data.metrics.get("stopped_early"):
        return "The run was stopped before its end."
    return "" if drops(data.metrics) else "Nothing was dropped."


def _realtime(data: RunData) -> float | None:
    """Seconds of video, of one camera, per second of work."""
    video, wall = (number(data.metrics.get(name)) for name in ("video_seconds", "wall_seconds"))
    return video / wall if video and wall else None


def _idf1(data: RunData, column: str) -> float | None:
    return number(mapping(mapping(data.metrics.get("scores")).get(column)).get("IDF1"))
