"""`savant-reid gallery list | show | search`: looking at the people of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savant_reid.command_errors import plain_errors
from savant_reid.errors import DataError

if TYPE_CHECKING:
    from savant_reid.gallery.looks import Floats
    from savant_reid.gallery.photo import PhotoReader
    from savant_reid.gallery.run import Run

DEFAULT_RUN = Path("runs/demo")

run_option = click.option(
    "--run", "folder", default=DEFAULT_RUN, show_default=True, type=click.Path(path_type=Path), help="The run's folder."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
module_option = click.option(
    "--module", type=click.Path(path_type=Path), help="The module.yml whose models read pictures (default: the demo's)."
)


@click.group("gallery")
def gallery_command() -> None:
    """Look at the people of a run, search them, name them, and put the system's mistakes right."""


@gallery_command.command("list")
@run_option
@json_option
def list_command(folder: Path, as_json: bool) -> None:
    """Everybody of a run: when and where first and last seen."""
    with plain_errors():
        from savant_reid.gallery.run import open_run
        from savant_reid.gallery.tables import people_table, person_json

        run = open_run(folder)
        if as_json:
            people = [person_json(run, person) for person in run.people.values()]
            click.echo(json.dumps({"site": run.site, "people": people}))
        else:
            click.echo(people_table(run) if run.people else f"{folder}: nobody in it has an identity")


@gallery_command.command("show")
@click.argument("global_id", metavar="ID", type=click.IntRange(min=0))
@run_option
@json_option
def show_command(global_id: int, folder: Path, as_json: bool) -> None:
    """One person of a run: visits, history, and who looks most alike. An ID of before a merge is understood."""
    with plain_errors():
        from savant_reid.gallery.run import open_run
        from savant_reid.gallery.tables import answer_json, event_line, person_json, table, visits_table

        run = open_run(folder)
        person = run.person(global_id)
        events = run.history.of(person.global_id)
        try:
            answer = _like_identity(run, person.global_id, reranked=False)
        except DataError as error:  # times and places are known all the same
            click.echo(f"who looks alike is not known: {error}", err=True)
            answer = None
    if as_json:
        alike = answer_json(run, answer, 5)["people"] if answer else []
        click.echo(json.dumps({**person_json(run, person), "events": events, "alike": alike}))
        return
    state = run.history.state(person.global_id)
    was = f" (asked for as {global_id})" if global_id != person.global_id else ""
    lines = [f"{person.global_id}{was}: {state}", "", visits_table(person)]
    if events:
        lines += ["", "history", *map(event_line, events)]
    if answer and answer.matches:
        alike = [[str(m.person.global_id), f"{m.similarity:.3f}", f"{m.probability:.3f}"] for m in answer.matches[:5]]
        lines += ["", table(["most alike", "similarity", "probability of being the same person"], alike)]
    click.echo("\n".join(lines))


@gallery_command.command("search")
@click.argument("images", metavar="IMAGE...", nargs=-1, type=click.Path(path_type=Path))
@run_option
@click.option("--identity", type=click.IntRange(min=0), help="Search for this person of the run instead of a picture.")
@click.option("--crop", is_flag=True, help="The picture shows one person and nothing else.")
@click.option("--person", type=click.IntRange(min=1), help="Which person of the picture; the largest is 1.")
@click.option("--camera", help="The picture was taken by this camera of the run.")
@click.option(
    "--rerank/--no-rerank", default=False, show_default=True, help="k-reciprocal re-ranking, for a run full of mix-ups."
)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="So many people at most.")
@module_option
@json_option
def search_command(
    images: Sequence[Path],
    folder: Path,
    identity: int | None,
    crop: bool,
    person: int | None,
    camera: str | None,
    rerank: bool,
    limit: int,
    module: Path | None,
    as_json: bool,
) -> None:
    """Who of a run is on IMAGE (several: pictures of one person)? People best first, with times and cameras."""
    if bool(images) == (identity is not None):
        raise click.UsageError("expected either pictures or --identity ID")
    with plain_errors():
        from savant_reid.gallery.run import open_run
        from savant_reid.gallery.search import search
        from savant_reid.gallery.tables import answer_json, answer_table

        run = open_run(folder)
        queried: dict[str, Any] = {}
        if identity is not None:
            answer = _like_identity(run, run.person(identity).global_id, rerank)
            if answer is None:
                raise DataError(f"{folder}: {identity}: expected embeddings to search with, found none")
            queried["identity"] = run.person(identity).global_id
        else:
            queries, pictures = _pictures(run, images, crop, person, camera, module)
            answer = search(run, queries, reranked=rerank)
            queried["images"] = pictures
        rough = answer.likelihood.is_rough
    if rough:
        click.echo("few people of this run were seen twice or side by side: the probabilities are rough", err=True)
    if as_json:
        click.echo(json.dumps({"query": queried, "run": str(folder), **answer_json(run, answer, limit)}))
    else:
        click.echo(answer_table(answer, limit))


def _like_identity(run: Run, global_id: int, reranked: bool) -> Any:
    """Who looks like a person of the run; None where nothing is known of the person's looks."""
    from savant_reid.gallery.search import search

    rows = [row for row, visit in enumerate(run.looks.visits) if visit.global_id == global_id]
    return search(run, run.looks.means[rows], leave_out=global_id, reranked=reranked) if rows else None


def _pictures(
    run: Run, images: Sequence[Path], crop: bool, person: int | None, camera: str | None, module: Path | None
) -> tuple[Floats, list[dict[str, Any]]]:
    """(q, D) embeddings comparable with the run's, and what was found in the pictures."""
    import numpy as np

    from savant_reid.gallery.photo import PhotoReader

    looks = run.looks
    if not looks.visits:
        raise DataError(f"{run.folder}: expected people with embeddings to search among, found none")
    if camera is not None and camera not in looks.camera_means:
        known = ", ".join(looks.camera_means)
        raise DataError(f"--camera: expected one of the run's cameras {known}, found {camera!r}")
    reader = PhotoReader(module)
    check_model(reader.model, looks.model, str(run.folder))
    rows, found = read_pictures(reader, images, crop, person)
    return looks.centred(np.stack(rows), camera), found


def read_pictures(
    reader: PhotoReader, images: Sequence[Path], crop: bool, person: int | None
) -> tuple[list[Floats], list[dict[str, Any]]]:
    """An embedding for each picture; says which person was taken where there are several."""
    rows, found = [], []
    for image in images:
        picture = reader.read(image, crop, person)
        box = [round(float(value), 1) for value in picture.box]
        if picture.people > 1:
            where = f"left {box[0]:g}, top {box[1]:g}, {box[2]:g} x {box[3]:g} pixels"
            which = f"number {picture.person} by size is taken ({where}); --person N takes another one"
            click.echo(f"{image}: {picture.people} people in the picture; {which}", err=True)
        rows.append(picture.embedding)
        found.append({"image": str(image), "box": box, "person": picture.person, "people": picture.people})
    return rows, found


def check_model(found: str, expected: str, where: str) -> None:
    """Embeddings of different models cannot be compared. Raises DataError naming both."""
    if found != expected:
        raise DataError(
            f"{where}: made by the embedding model {expected or 'of no name'}, but pictures would be read by {found}; "
            "name the module of that run with --module"
        )
