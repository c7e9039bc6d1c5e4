"""`savant-reid replay`: the identity core alone over recorded sightings."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from savant_reid.command_errors import plain_errors
from savant_reid.command_output import progress_bar, score_lines, told_of_refused, video_clock
from savant_reid.interrupts import stop_on_signal

ORDERS = ("auto", "recorded", "time")


@click.command("replay")
@click.argument("recording", metavar="SIGHTINGS.parquet", type=click.Path(path_type=Path))
@click.option("--site", type=click.Path(path_type=Path), help="Cameras, topology, policy [default: beside the file].")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything the replay writes.")
@click.option("--force", is_flag=True, help="Replace the run that --out holds.")
@click.option("--truth", type=click.Path(path_type=Path), help="Score the result against this truth file.")
@click.option(
    "--order",
    default="auto",
    show_default=True,
    type=click.Choice(ORDERS),
    help="Take the rows as recorded, or sort them by time; auto sorts a file that is sorted by camera.",
)
@click.option("--embedding-model", metavar="NAME", help="The model, for a file that does not name it.")
@click.option(
    "--corrections",
    type=click.Path(path_type=Path),
    help="Keep to what people have decided: a corrections.jsonl as savant-reid gallery merge and split write it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json when done.")
def replay_command(
    recording: Path,
    site: Path | None,
    out: Path,
    force: bool,
    truth: Path | None,
    order: str,
    embedding_model: str | None,
    corrections: Path | None,
    as_json: bool,
) -> None:
    """Decide again who is who from recorded sightings: the same input, the same bytes out.

    SIGHTINGS.parquet may also be the folder of parts of a run that was killed, or a run folder.
    """
    started = time.perf_counter()
    with plain_errors():
        from savant_reid.replay.replay import ReplayRequest, replay

        stopped = threading.Event()
        with progress_bar("replaying", "row") as bar, ExitStack() as stack:

            def begin(rows: int) -> None:
                bar.reset(rows)
                # Not before: while a recording is looked through or sorted, an interrupt just ends it.
                stack.enter_context(stop_on_signal(stopped.set, lambda text: click.echo(text, err=True)))

            named = (recording, out, site, truth, force, order, embedding_model, corrections)
            request = ReplayRequest(*named, stopped.is_set, begin, _advance(bar))
            metrics = replay(request)
    _conclude(out, metrics, as_json, time.perf_counter() - started)


def _advance(bar: Any) -> Callable[[int, int], None]:
    show = video_clock(bar)

    def advance(rows: int, time_ns: int) -> None:
        bar.update(rows - bar.n)
        show(time_ns)

    return advance


def _conclude(out: Path, metrics: dict[str, Any], as_json: bool, seconds: float) -> None:
    """The answer in a few lines on standard error, timings too: the files know none."""
    if as_json:
        click.echo(json.dumps(metrics))
    rows, identities = metrics["people_frames"], metrics["identity"]["identities"]
    lines = [
        f"{rows} sightings in {metrics['frames']} frames of {len(metrics['cameras'])} cameras in {seconds:.1f} s "
        f"({rows / max(seconds, 1e-9):.0f} sightings/s), {identities} identities"
    ]
    lines += score_lines(metrics)
    for reason, count in metrics["recording"]["refused_rows"].items():
        lines.append(f"refused: {count} rows, {reason.replace('_', ' ')}")
    lines += told_of_refused(metrics)
    if metrics["stopped_early"]:
        lines.append("stopped before the end")
    lines.append(f"report: {out / 'report.html'}")
    click.echo("\n".join(lines), err=True)
