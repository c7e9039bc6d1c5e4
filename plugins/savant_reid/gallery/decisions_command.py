"""`savant-reid gallery merge | split | forget | enrol | unenrol`: what the owner decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from savant_reid.command_errors import plain_errors
from savant_reid.errors import DataError
from savant_reid.gallery.command import (
    check_model,
    gallery_command,
    module_option,
    read_pictures,
    run_option,
)

if TYPE_CHECKING:
    from savant_reid.gallery.enrolment import EnrolledPerson

__all__ = ["gallery_command"]

MOST_SECONDS = 9e9  # what int64 nanoseconds hold

corrections_option = click.option(
    "--corrections",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the decision is written down for replays (default: corrections.jsonl in the run's folder).",
)
unfinished_option = click.option(
    "--unfinished", is_flag=True, help="The run was killed; nobody writes to its folder any more."
)
out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The enrolment file; one that is there is added to.",
)


@gallery_command.command("merge")
@click.argument("survivor", metavar="ID", type=click.IntRange(min=0))
@click.argument("gone", metavar="OTHER", type=click.IntRange(min=0))
@run_option
@corrections_option
@unfinished_option
@click.option("--force", is_flag=True, help="Even if both were seen side by side (one box was false).")
def merge_command(
    survivor: int, gone: int, folder: Path, corrections: Path | None, unfinished: bool, force: bool
) -> None:
    """OTHER is the same person as ID, which lives on."""
    with plain_errors():
        from savant_reid.gallery.corrections import CORRECTIONS
        from savant_reid.gallery.decisions import check_finished, merge, renew_report
        from savant_reid.gallery.run import open_run

        run = open_run(folder)
        check_finished(run, unfinished)
        rows = merge(run, survivor, gone, corrections or folder / CORRECTIONS, force)
        renew_report(run)
        present = open_run(folder).history.present(gone)
    click.echo(f"{gone} lives on in {present}; {rows} rows of tracks.csv changed")


@gallery_command.command("split")
@click.argument("global_id", metavar="ID", type=click.IntRange(min=0))
@click.option("--track", "tracks", multiple=True, required=True, metavar="CAMERA:TRACK", help="May be given often.")
@click.option("--since", "since_s", type=float, help="Only from then on: seconds on the clock that `show --json` has.")
@run_option
@corrections_option
@unfinished_option
def split_command(
    global_id: int,
    tracks: Sequence[str],
    since_s: float | None,
    folder: Path,
    corrections: Path | None,
    unfinished: bool,
) -> None:
    """These tracks of ID are somebody else, who gets a new ID."""
    pairs = [_track(text) for text in tracks]
    since_ns = None if since_s is None else _nanoseconds(since_s)
    with plain_errors():
        from savant_reid.gallery.corrections import CORRECTIONS
        from savant_reid.gallery.decisions import check_finished, renew_report, split
        from savant_reid.gallery.run import open_run

        run = open_run(folder)
        check_finished(run, unfinished)
        new_id = split(run, global_id, pairs, since_ns, corrections or folder / CORRECTIONS)
        renew_report(run)
    click.echo(f"{', '.join(tracks)} became {new_id}")


@gallery_command.command("forget")
@click.argument("global_id", metavar="ID", type=click.IntRange(min=0))
@run_option
@corrections_option
@unfinished_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget_command(global_id: int, folder: Path, corrections: Path | None, unfinished: bool, yes: bool) -> None:
    """Remove a person from every file of the run folder. It cannot be undone; videos are not redacted."""
    with plain_errors():
        from savant_reid.gallery.corrections import CORRECTIONS
        from savant_reid.gallery.decisions import check_finished, forget, renew_report
        from savant_reid.gallery.run import open_run

        run = open_run(folder)
        check_finished(run, unfinished)
        person = run.person(global_id)
        if not yes:
            click.confirm(
                f"Remove {person.global_id} ({len(person.visits)} visits) from {folder} for good?", abort=True
            )
        removed = forget(run, global_id, corrections or folder / CORRECTIONS)
        renew_report(run)
    click.echo("; ".join(f"{name}: {count} removed" for name, count in removed.items()))
    click.echo(
        "Not touched: videos (they are not redacted), truth.csv, the source videos, and enrolment files "
        "(savant-reid gallery unenrol)",
        err=True,
    )


@gallery_command.command("enrol")
@click.argument("name")
@click.option("--image", "images", multiple=True, type=click.Path(path_type=Path), help="May be given often.")
@click.option("--identity", type=click.IntRange(min=0), help="This person of the run of --run instead of pictures.")
@click.option("--crop", is_flag=True, help="The pictures show one person and nothing else.")
@click.option("--person", type=click.IntRange(min=1), help="Which person of the picture; the largest is 1.")
@out_option
@run_option
@module_option
def enrol_command(
    name: str,
    images: Sequence[Path],
    identity: int | None,
    crop: bool,
    person: int | None,
    out: Path,
    folder: Path,
    module: Path | None,
) -> None:
    """Write NAME into an enrolment file, by pictures or as a person of a run; a known NAME gets more embeddings."""
    if bool(images) == (identity is not None):
        raise click.UsageError("expected either --image FILE or --identity ID")
    with plain_errors():
        from savant_reid.gallery.enrolment import Enrolled, check_name, load_enrolled, save_enrolled

        name = check_name(name)
        known = load_enrolled(out) if out.exists() else None
        if identity is not None:
            model, one = _enrolled_identity(name, folder, identity)
        else:
            model, one = _enrolled_pictures(name, images, crop, person, module)
        if known is not None and known.people and known.model != model:
            check_model(model, known.model, str(out))
        enrolled = Enrolled(model, known.people if known else ()).with_person(one)
        save_enrolled(out, enrolled)
    total = next(len(each) for each in enrolled.people if each.name == name)
    new = total - sum(len(each) for each in (known.people if known else ()) if each.name == name)
    click.echo(f"{out}: {name} with {total} embeddings ({new} new), {len(enrolled.people)} people in all")


@gallery_command.command("unenrol")
@click.argument("name")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The enrolment file.")
def unenrol_command(name: str, out: Path) -> None:
    """Remove NAME and all embeddings of it from an enrolment file."""
    with plain_errors():
        from savant_reid.gallery.enrolment import load_enrolled, save_enrolled

        enrolled = load_enrolled(out)
        left = enrolled.without(name.strip())
        if len(left.people) == len(enrolled.people):
            known = ", ".join(one.name for one in enrolled.people) or "nobody"
            raise DataError(f"{out}: expected one of the names in it ({known}), found {name!r}")
        save_enrolled(out, left)
    click.echo(f"{out}: {name.strip()} is gone, {len(left.people)} people are left")


def _enrolled_identity(name: str, folder: Path, global_id: int) -> tuple[str, EnrolledPerson]:
    """(model, person): one embedding per visit of a person of a run."""
    from savant_reid.gallery.enrolment import EnrolledPerson
    from savant_reid.gallery.run import open_run

    run = open_run(folder)
    person, looks = run.person(global_id), run.looks
    rows = [row for row, visit in enumerate(looks.visits) if visit.global_id == person.global_id]
    if not rows:
        raise DataError(f"{folder}: {person.global_id}: expected embeddings to enrol, found none")
    cameras = tuple(looks.visits[row].camera for row in rows)
    source = f"identity {person.global_id} of site {run.site}"
    return looks.model, EnrolledPerson(name, looks.raw[rows], person.global_id, cameras, (source,) * len(rows))


def _enrolled_pictures(
    name: str, images: Sequence[Path], crop: bool, person: int | None, module: Path | None
) -> tuple[str, EnrolledPerson]:
    """(model, person): one embedding per picture."""
    import numpy as np

    from savant_reid.gallery.enrolment import EnrolledPerson
    from savant_reid.gallery.photo import PhotoReader

    reader = PhotoReader(module)
    rows, _ = read_pictures(reader, images, crop, person)
    sources = tuple(f"picture {image.name}" for image in images)
    return reader.model, EnrolledPerson(name, np.stack(rows), None, (None,) * len(rows), sources)


def _nanoseconds(since_s: float) -> int:
    if not abs(since_s) < MOST_SECONDS:  # NaN neither
        raise click.BadParameter(f"expected seconds on the run's clock, found {since_s}", param_hint="--since")
    return round(since_s * 1e9)


def _track(text: str) -> tuple[str, int]:
    camera, _, track = text.rpartition(":")
    if not camera or not track.isdecimal():
        raise click.BadParameter(f"expected CAMERA:TRACK such as aisle:12, found {text!r}", param_hint="--track")
    return camera, int(track)
