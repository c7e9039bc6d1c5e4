"""Puts the page together."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from savant_reid.report.histogram import HEIGHT_PX as HISTOGRAM_HEIGHT_PX
from savant_reid.report.histogram import WIDTH_PX as HISTOGRAM_WIDTH_PX
from savant_reid.report.histogram import draw_histogram
from savant_reid.report.lanes import MAX_LANES, SHOWN_LANES, draw_lanes
from savant_reid.report.palette import camera_colours
from savant_reid.report.plan import CAMERA_PX, WIDTH_PX, draw_plan
from savant_reid.report.presences import find_presences
from savant_reid.report.run_data import RunData, mapping, read_run
from savant_reid.report.tables import MEASURES, camera_scores, drops, score_table, stages
from savant_reid.report.topology import learned_topology
from savant_reid.report.transitions import find_transitions
from savant_reid.report.verdict import speed_sentences, started, tiles, verdict
from savant_reid.sinks.run_folder import REPORT
from savant_reid.whole_files import replacing

SHOWN_WALKS = 16


def write_report(run: Path) -> Path:
    """Writes `report.html` into the run folder from that folder's files, and returns its path.

    A run that was stopped half-way gives a page of what is there. Raises OutputError.
    """
    page = render(read_run(run))
    path = run / REPORT
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(data: RunData) -> str:
    """The page as HTML, whole in itself but for the run folder's videos."""
    environment = Environment(
        loader=PackageLoader("savant_reid.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(_view(data))


def _view(data: RunData) -> dict[str, Any]:
    colours = camera_colours(data.cameras)
    presences = find_presences(data.rows)
    chart = draw_lanes(data.rows, presences, data.events, data.truth, colours)
    transitions = find_transitions(presences, data.site)
    learned = learned_topology(data.metrics, data.site)
    scores = mapping(data.metrics.get("scores"))
    unnamed = float((data.rows.global_id < 0).mean()) if len(data.rows) else None
    return {
        "data": data,
        "metrics": data.metrics,
        "identity": mapping(data.metrics.get("identity")),
        "colours": colours,
        "chart": chart,
        "shown_lanes": SHOWN_LANES,
        "max_lanes": MAX_LANES,
        "unnamed": unnamed,
        "transitions": transitions,
        "shown_walks": SHOWN_WALKS,
        "learned": learned,
        "ways": [(way, draw_histogram(way)) for way in learned.ways],
        "histogram_px": (HISTOGRAM_WIDTH_PX, HISTOGRAM_HEIGHT_PX),
        "plan": draw_plan(data.site, colours, transitions) if data.cameras else None,
        "plan_width": WIDTH_PX,
        "camera_px": CAMERA_PX,
        "score_table": score_table(scores, main=True),
        "more_scores": score_table(scores, main=False),
        "camera_scores": camera_scores(scores),
        "measures": MEASURES,
        "stages": stages(data.metrics),
        "speed_sentences": speed_sentences(data.metrics),
        "started": started(data.metrics.get("started_at")),
        "drops": drops(data.metrics),
        "verdict": verdict(data, chart),
        "tiles": tiles(data, chart),
        "mosaic": data.mosaic and quote(data.mosaic),
        "videos": {camera: quote(name) for camera, name in data.videos.items()},
    }
