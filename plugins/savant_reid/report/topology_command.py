"""`savant-reid topology show`: what a run learned of the ways, in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from savant_reid.command_errors import plain_errors


@click.group("topology")
def topology_group() -> None:
    """The ways between cameras: as declared, and as learned."""


@topology_group.command("show")
@click.argument("run", metavar="[RUN_FOLDER]", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--site", type=click.Path(path_type=Path), help="A site file instead: shows what it declares.")
def show_command(run: Path | None, site: Path | None) -> None:
    """Show what a run learned beside what its site.yml declares."""
    if (run is None) == (site is None):
        raise click.UsageError("expected either RUN_FOLDER or --site FILE")
    with plain_errors():
        click.echo(_of_run(run) if run is not None else _of_site(site or Path()))


def _of_run(run: Path) -> str:
    from savant_reid.report.run_data import read_settings
    from savant_reid.report.topology import learned_topology
    from savant_reid.report.topology_text import topology_text

    metrics, site, problems = read_settings(run)
    for problem in problems:
        click.echo(problem, err=True)
    return topology_text(learned_topology(metrics, site), _can_print_blocks())


def _of_site(path: Path) -> str:
    from savant_reid.report.topology import learned_topology
    from savant_reid.report.topology_text import topology_text
    from savant_reid.site import load_site

    declared = load_site(path).model_dump(mode="json", by_alias=True)
    return topology_text(learned_topology({}, declared), _can_print_blocks())


def _can_print_blocks() -> bool:
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf")
