"""``python -m model_builder adapt NAME RUN_FOLDER...``."""

from __future__ import annotations

from pathlib import Path

import click

from model_builder.cards import load_card
from model_builder.commands import Publication, models_option, publication_options, told
from savant_reid.errors import OutputError


@click.command("adapt")
@click.argument("name")
@click.argument("folders", metavar="RUN_FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--video", "videos", metavar="CAMERA=FILE", multiple=True, help="Where site.yml's source is not right.")
@click.option("--as", "new_name", metavar="NAME", help="Name of the adapted model [default: NAME-adapted].")
@click.option("--steps", type=click.IntRange(1), default=400, show_default=True, help="At most.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=3e-4, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of PyTorch.")
@models_option
@publication_options
@told
def adapt_command(
    name: str,
    folders: tuple[Path, ...],
    videos: tuple[str, ...],
    new_name: str | None,
    steps: int,
    rate: float,
    seed: int,
    threads: int,
    models: Path,
    published: Publication,
) -> None:
    """Fine-tune a re-ID model on runs of one site, without labels; a model that is worse is not written.

    A run folder holds no crops: they are cut out of the videos that its site.yml names, or --video.
    """
    import torch

    from model_builder.adapt import adapt_to_site, as_table, trainable
    from model_builder.adapt_training import AdaptRecipe
    from model_builder.run_tracks import read_run
    from model_builder.site_crops import check_enough, cut_out

    torch.set_num_threads(threads)
    card = load_card(name, models)
    new_name = new_name or f"{name}-adapted"
    target = models / new_name / f"{new_name}.onnx"
    if target.parent.exists():
        raise OutputError(f"{target.parent}: exists already; choose another name with --as")
    of_camera = _videos(videos)
    runs = [read_run(folder) for folder in folders]
    network = trainable(card, models, published.of(card) if card.source.kind == "checkpoint" else None)
    site = cut_out(runs, card.input.size, of_camera)
    check_enough(site)
    parts = ", ".join(f"{int((site.part == part).sum())} {word}" for part, word in enumerate(_PARTS))
    click.echo(f"{len(site)} crops of {len(site.part)} pieces of tracks: {parts}", err=True)
    recipe = AdaptRecipe(steps=steps, rate=rate, seed=seed)
    outcome = adapt_to_site(card, network, site, target, recipe, _tell)
    click.echo("\n".join(as_table(outcome)))
    if outcome.worse:
        raise click.ClickException("not written, it is not better: " + "; ".join(outcome.worse))
    click.echo(f"{outcome.file} (best at step {outcome.step})")


_PARTS = ("to learn from", "to stop by", "held back")


def _videos(given: tuple[str, ...]) -> dict[str, Path]:
    found = {}
    for item in given:
        camera, sign, file = item.partition("=")
        if not (camera and sign and file):
            raise click.BadParameter(f"expected CAMERA=FILE, found {item!r}", param_hint="--video")
        found[camera] = Path(file)
    return found


def _tell(step: int, loss: float, figures: object) -> None:
    auc, missed = getattr(figures, "auc", 0.0), getattr(figures, "missed", 0.0)
    click.echo(f"step {step}: loss {loss:.4f}; tracks to stop by: AUC {auc:.4f}, missed {missed:.3f}", err=True)
