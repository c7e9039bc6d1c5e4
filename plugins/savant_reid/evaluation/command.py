"""`savant-reid evaluate`: one truth file, one result file, one answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from savant_reid.command_errors import plain_errors
from savant_reid.command_output import camera_lines

if TYPE_CHECKING:
    from savant_reid.evaluation.scores import Json, Score, Scores

_TABLE = ("IDF1", "HOTA", "IDs", "precision", "recall", "MOTA", "DetA", "AssA")


@click.command("evaluate")
@click.option("--truth", required=True, type=click.Path(path_type=Path), help="tracks.csv with the true identities.")
@click.option("--result", required=True, type=click.Path(path_type=Path), help="tracks.csv of a run.")
@click.option(
    "--iou-threshold",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="From which overlap on two boxes may be the same person.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def evaluate_command(truth: Path, result: Path, iou_threshold: float, as_json: bool) -> None:
    """Compare a run's tracks.csv with the truth: IDF1, HOTA and more, over all cameras jointly and per camera."""
    from savant_reid.evaluation.scores import evaluate, read_truth
    from savant_reid.evaluation.tracks import read_tracks

    with plain_errors():
        true_tracks, found_tracks = read_truth(truth), read_tracks(result)
        scores = evaluate(true_tracks, found_tracks, iou_threshold)
        tracks_alone = evaluate(true_tracks, found_tracks, iou_threshold, "track", per_camera=False).overall
    click.echo(json.dumps(as_json_object(scores, tracks_alone)) if as_json else as_table(scores, tracks_alone))


def as_json_object(scores: Scores, tracks_alone: Score) -> Json:
    """The overall scores, with `single_camera_tracks` and `cameras` inside."""
    return {
        **scores.overall.to_json(),
        "single_camera_tracks": tracks_alone.to_json(),
        "cameras": {name: score.to_json() for name, score in scores.cameras.items()},
        "cameras_only_in_truth": list(scores.only_in_truth),
        "cameras_only_in_result": list(scores.only_in_result),
    }


def as_table(scores: Scores, tracks_alone: Score) -> str:
    """One line for all cameras, one for the single-camera tracks alone, one per camera."""
    lines = {"all cameras": scores.overall, "  tracks alone": tracks_alone, **scores.cameras}
    width = max(len(name) for name in lines)
    table = [" ".join([" " * width, *(f"{name:>9}" for name in _TABLE)])]
    for name, score in lines.items():
        values = score.to_json()
        table.append(" ".join([name.ljust(width), *(f"{_cell(values[column]):>9}" for column in _TABLE)]))
    overall = scores.overall
    found = f"{overall.result_identities} in the result (a track without one counts as one)"
    table.append(f"identities: {overall.truth_identities} in the truth, {found}")
    if overall.shared_ids:
        table.append(f"rows that share an identity inside a frame: {overall.shared_ids}")
    return "\n".join(table + camera_lines(scores.only_in_truth, scores.only_in_result))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
