"""``python -m model_builder build-cameras NAME LABELS``: a TransReID for some cameras, or with an input for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from model_builder.cards import load_card
from model_builder.commands import Publication, models_option, publication_options, told
from savant_reid.errors import ModelError


@click.command("build-cameras")
@click.argument("name")
@click.argument("labels")
@models_option
@publication_options
@told
def build_cameras_command(name: str, labels: str, models: Path, published: Publication) -> None:
    """Builds and verifies NAME for the cameras LABELS: their numbers in the training set, from 0, as 0,3,4; or "input".

    Numbers are folded in, for DeepStream: the file takes images only, and each group of cameras has its own file and
    engine. "input": the file takes `cameras` (batch,) int64 beside the images, for ONNX Runtime. `build` folds the mean
    of all cameras in, which is what to use for cameras that are not in the training set: those of any other site.
    """
    from model_builder.build import network_of
    from model_builder.camera_tokens import export_cameras, with_cameras
    from model_builder.files import sha256_of
    from model_builder.reference import by_network
    from model_builder.report import as_markdown, read_report, write_report
    from model_builder.verify import verify

    cameras = parsed(labels)
    card = load_card(name, models)
    source = published.of(card)
    network = network_of(card, source)
    stem = "input" if isinstance(cameras, str) else "-".join(map(str, cameras))
    built = card.built_file(models)
    target = export_cameras(network, card, built.with_name(f"{built.stem}.cameras-{stem}.onnx"), cameras)
    # verify feeds 0 where a file asks for cameras.
    reference = by_network(card, with_cameras(network, [0] if isinstance(cameras, str) else cameras))
    verification = verify(card, target, reference)
    report = write_report(card, verification, {"file": source.name, "sha256": sha256_of(source)})
    click.echo(as_markdown(read_report(report)))
    if not verification.passed:
        raise ModelError(f"{target}: is not the published network; see {report}")


def parsed(labels: str) -> str | Sequence[int]:
    """ "input", or numbers between commas. Raises ModelError for anything else."""
    if labels == "input":
        return labels
    try:
        numbers = sorted({int(label) for label in labels.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 0:
        raise ModelError(f"cameras: expected 'input' or numbers from 0 between commas, found {labels!r}")
    return numbers
