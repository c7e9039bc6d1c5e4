"""`savant-reid bench`: the numbers this project is built to, each beside its baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savant_reid.command_errors import plain_errors
from savant_reid.errors import ConfigError

if TYPE_CHECKING:
    from savant_reid.bench.source import Source

DEFAULT_RECORDING = "real"
DEFAULT_PEOPLE = 100_000


@click.group("bench", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def bench_command(context: click.Context, as_json: bool) -> None:
    """Measure what deciding and searching cost, or (`bench identity`) who is taken for whom."""
    if context.invoked_subcommand is not None:
        return
    from savant_reid.bench.costs import as_text, measure

    figures = measure()
    click.echo(json.dumps({"figures": figures}) if as_json else as_text(figures))


@bench_command.command("identity")
@click.option(
    "--recording",
    default=DEFAULT_RECORDING,
    show_default=True,
    metavar="PRESET|FOLDER",
    help="easy, real, hard, huge, or a folder with sightings.parquet, truth.csv and site.yml.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of a generated recording.")
@click.option("--ablations", is_flag=True, help="Also the engine with one part switched off each.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this engine or baseline; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def identity_command(recording: str, seed: int, ablations: bool, only: tuple[str, ...], as_json: bool) -> None:
    """The engine and its baselines on one recording: IDF1, HOTA, FNIR, FPIR, identities made."""
    from savant_reid.bench import report
    from savant_reid.bench.engine import tunings

    known = [*tunings(), *report.BASELINES]
    for name in only:
        if name not in known:
            raise click.BadParameter(f"expected one of {', '.join(known)}, found {name!r}", param_hint="--only")
    with plain_errors():
        source = find_source(recording, seed)
        if not as_json:
            click.echo(report.header())
        rows, lines = report.compare(
            source, only, ablations, None if as_json else lambda line: click.echo(report.as_text(line))
        )
    click.echo(report.as_json(source, rows, lines) if as_json else report.footer(source, rows))


@bench_command.command("passing")
@click.option("--people", default=DEFAULT_PEOPLE, show_default=True, type=click.IntRange(min=10))
@click.option("--capacity", default=2_000, show_default=True, type=click.IntRange(min=1), help="Of the gallery.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def passing_command(people: int, capacity: int, as_json: bool) -> None:
    """Memory while strangers pass by who never come back, a line for each tenth of them."""
    from savant_reid.bench import passing

    _print_readings(passing, as_json, lambda tell: passing.measure(people, capacity, tell))


@bench_command.command("load")
@click.option("--recording", default="huge", show_default=True, type=click.Choice(["easy", "real", "hard", "huge"]))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--seconds", default=90.0, show_default=True, type=click.FloatRange(min=1), help="Of the recording.")
@click.option("--every", default=1_000_000, show_default=True, type=click.IntRange(min=1), help="Sightings a line.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def load_command(recording: str, seed: int, seconds: float, every: int, as_json: bool) -> None:
    """Cost, memory and shared ids as the gallery grows; nothing is kept of the recording."""
    from savant_reid.bench import load

    _print_readings(load, as_json, lambda tell: load.measure(recording, seconds, every, seed, tell))


@bench_command.command("outputs")
@click.option("--cameras", default=16, show_default=True, type=click.IntRange(1, 1000))
@click.option("--people", default=4, show_default=True, type=click.IntRange(1, 200), help="Before each camera.")
@click.option("--fps", default=10.0, show_default=True, type=click.FloatRange(0.1, 100))
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.5, 3600))
@click.option("--full-speed", is_flag=True, help="As fast as it goes, instead of in real time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def outputs_command(cameras: int, people: int, fps: float, seconds: float, full_speed: bool, as_json: bool) -> None:
    """From an embedding in hand to a message in another process, by Kafka (a mock broker) and by ZeroMQ."""
    with plain_errors("kafka,zmq"):
        from savant_reid.bench import outputs, outputs_load

        figures = outputs.measure(outputs_load.Load(cameras, people, fps, seconds, not full_speed))
    click.echo(json.dumps({"figures": figures}) if as_json else "\n".join(map(outputs.as_text, figures)))


def _print_readings(of: Any, as_json: bool, measure: Callable[[Callable[[Any], None]], Sequence[Any]]) -> None:
    """A header and a line for each reading as it comes, or all as one JSON object. of: bench.passing or load."""
    if as_json:
        click.echo(json.dumps(of.as_json(measure(lambda _: None))))
        return
    click.echo(of.HEADER)
    measure(lambda reading: click.echo(of.as_text(reading)))


def find_source(recording: str, seed: int) -> Source:
    """A folder if there is one of that name, else the generator's preset."""
    from savant_reid.bench.folder import FolderSource
    from savant_reid.bench.presets import PresetSource
    from savant_reid.testing.settings import PRESETS

    if Path(recording).is_dir():
        return FolderSource(Path(recording))
    if recording not in PRESETS:
        presets = ", ".join(PRESETS)
        raise ConfigError(f"--recording: expected one of the presets {presets}, or a folder, found {recording!r}")
    return PresetSource(recording, seed)
