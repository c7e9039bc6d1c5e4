"""`python -m savant_reid.testing PRESET --seed N --out FOLDER`: a recording as files."""

from __future__ import annotations

from pathlib import Path

import click

from savant_reid.command_errors import plain_errors
from savant_reid.testing import PRESETS, Recording, preset, write_recording


@click.command()
@click.argument("name", metavar="PRESET", type=click.Choice(list(PRESETS)))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--seconds", type=click.FloatRange(min=1), help="Length of the recording (default: the preset's).")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the three files.")
def main(name: str, seed: int, seconds: float | None, out: Path) -> None:
    """Write sightings.parquet, truth.csv and site.yml of a simulated recording."""
    with plain_errors():
        settings = preset(name, seed, **({} if seconds is None else {"seconds": seconds}))
        files = write_recording(Recording(settings), out)
    for path in files:
        click.echo(path)


if __name__ == "__main__":
    main(prog_name="python -m savant_reid.testing")
