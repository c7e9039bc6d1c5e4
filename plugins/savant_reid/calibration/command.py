"""`savant-reid calibrate`: thresholds from unlabelled sightings."""

from __future__ import annotations

import json
from pathlib import Path

import click

from savant_reid.command_errors import plain_errors
from savant_reid.command_output import progress_bar
from savant_reid.replay.command import ORDERS


@click.command("calibrate")
@click.argument("recording", metavar="SIGHTINGS.parquet", type=click.Path(path_type=Path))
@click.option(
    "--target-fpir",
    default=0.01,
    show_default=True,
    type=float,
    help="Share of strangers that may pass the threshold, above 0 and below 1.",
)
@click.option("--site", type=click.Path(path_type=Path), help="Cameras, topology [default: beside the file].")
@click.option(
    "--out",
    default="calibration.json",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write; what an engine starts from goes beside it, as .npz.",
)
@click.option("--order", default="auto", show_default=True, type=click.Choice(ORDERS), help="As of replay.")
@click.option("--embedding-model", metavar="NAME", help="The model, for a file that does not name it.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of what is kept of much.")
@click.option("--json", "as_json", is_flag=True, help="Print the object instead of the table.")
def calibrate_command(
    recording: Path,
    target_fpir: float,
    site: Path | None,
    out: Path,
    order: str,
    embedding_model: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Learn thresholds per pair of cameras, and a warm start, from sightings that nobody has labelled."""
    with plain_errors():
        from savant_reid.calibration.calibrate import CalibrationRequest, calibrate
        from savant_reid.calibration.table import table

        with progress_bar("calibrating", "row") as bar:
            request = CalibrationRequest(
                recording,
                out,
                target_fpir,
                site,
                order,
                embedding_model,
                seed,
                bar.reset,
                lambda rows: bar.update(rows - bar.n) and None,
            )
            calibration, document = calibrate(request)
    click.echo(json.dumps(document) if as_json else table(calibration))
    for warning in calibration.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"written: {out}; a run starts from it with identity: {{calibration: PATH}} in its site file", err=True)
