"""From a site's own recordings, without labels, to an embedder that knows the site a little better, or to a refusal."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from model_builder.adapt_training import AdaptRecipe, adapt, as_fed, embedded
from model_builder.architectures import OSNetEmbedder, create
from model_builder.build import network_of
from model_builder.cards import CARD_FILE, Card, ModelFile, Source
from model_builder.checkpoints import read_checkpoint
from model_builder.export import export
from model_builder.files import sha256_of, written_whole
from model_builder.graph import Deployed, GraphSpec
from model_builder.onnx_embedder import OnnxEmbedder
from model_builder.site_crops import HELD, LEARN, WATCH, SiteCrops
from model_builder.track_figures import TrackFigures, TruthFigures, track_figures, truth_figures
from model_builder.weights_of_onnx import load_weights
from savant_reid.errors import ModelError

LEAST_COSINE = 0.9999
# Beside the ONNX file, which is too much simplified to train it further.
WEIGHTS = ".weights.pt"


@dataclass(frozen=True)
class Figures:
    """On the tracks that were held back; ``truth`` where a truth.csv lies beside the run."""

    tracks: TrackFigures
    truth: TruthFigures | None


@dataclass(frozen=True)
class Outcome:
    """worse: why the model was not kept, empty where it was. step: where training was best. file: what was written."""

    before: Figures
    after: Figures
    step: int
    worse: tuple[str, ...]
    file: Path | None = None


def trainable(card: Card, models: Path, checkpoint: Path | None) -> nn.Module:
    """The card's network with its weights: from the published checkpoint, or as an adaptation before left them, or out
    of the ONNX file of a model that was trained here.

    Raises ModelError for a model that is a graph and nothing else.
    """
    if card.is_detector:
        raise ModelError(f"{card.name}: expected a re-ID model, found one for {card.task}")
    if card.input.maintain_aspect_ratio:
        raise ModelError(f"{card.name}: expected a model whose crops are squashed, found one that keeps the aspect")
    if card.source.kind == "checkpoint":
        return network_of(card, checkpoint)
    if card.source.kind == "onnx":
        raise ModelError(f"{card.name}: is published as a graph without a network of ours: it cannot be trained")
    name = card.architecture.name
    module = create(name, **card.architecture.options) if name else OSNetEmbedder()
    file = card.built_file(models)
    if file.with_suffix(WEIGHTS).is_file():
        module.load_state_dict(read_checkpoint(file.with_suffix(WEIGHTS)), strict=True)
    else:
        load_weights(module, file, GraphSpec.of(card).example(1))
    return module.eval()


def adapt_to_site(
    card: Card, network: nn.Module, site: SiteCrops, target: Path, recipe: AdaptRecipe, told: Any = lambda *_: None
) -> Outcome:
    """Trains ``network`` in place and writes ``target`` (an ONNX file, with its card) unless it is worse."""
    spec = GraphSpec.of(card)
    offsets = tuple(card.normalisation.offsets)
    feed = partial(as_fed, colour=card.input.color_format, scale=card.normalisation.scale_factor, offsets=offsets)
    deployed = Deployed(network, spec).eval()
    rows = site.of(HELD)
    before = _figures(site, rows, embedded(deployed, site.crops[rows], feed))
    step = adapt(deployed, site, feed, recipe, told)
    if step == 0:
        return Outcome(before, before, step, judged(before, before, step))
    after_training = embedded(deployed, site.crops[rows], feed)
    after = _figures(site, rows, after_training)
    worse = judged(before, after, step)
    if worse:
        return Outcome(before, after, step, worse)
    # Under another name first: a model that does not agree with PyTorch must not lie where one is looked for.
    with written_whole(target) as part:
        export(network, card, part, metadata={"name": target.stem, "adapted_from": card.name})
        found = OnnxEmbedder(part, card).embed_all(site.crops[rows])
        agreement = float((found * after_training).sum(axis=1).min())
        if agreement < LEAST_COSINE:
            raise ModelError(f"{target}: expected the exported model to agree with PyTorch, found a cosine {agreement}")
    with written_whole(target.with_suffix(WEIGHTS)) as part:
        torch.save(network.state_dict(), part)
    outcome = Outcome(before, _figures(site, rows, found), step, (), target)
    _write_card(card, target, site, outcome)
    return outcome


def judged(before: Figures, after: Figures, step: int) -> tuple[str, ...]:
    """Why the model after is not to be kept; nothing where it is at least as good in all and was changed at all."""
    if step == 0:
        return ("no look during the training was better than the model as it is",)
    pairs: list[tuple[str, float, float]] = [
        ("AUC of tracks", before.tracks.auc, after.tracks.auc),
        ("pairs of one track found at 1 % false ones", 1 - before.tracks.missed, 1 - after.tracks.missed),
    ]
    if before.truth and after.truth:
        pairs += [
            ("rank-1 across cameras (truth)", before.truth.rank1, after.truth.rank1),
            ("mAP across cameras (truth)", before.truth.mean_average_precision, after.truth.mean_average_precision),
        ]
    return tuple(f"{name}: {old:.4f} before, {new:.4f} after" for name, old, new in pairs if new < old)


def _figures(site: SiteCrops, rows: np.ndarray, embeddings: np.ndarray) -> Figures:
    return Figures(track_figures(site, rows, embeddings), truth_figures(site, rows, embeddings))


def _write_card(card: Card, target: Path, site: SiteCrops, outcome: Outcome) -> None:
    tracks = {name: int((site.part == part).sum()) for part, name in ((LEARN, "learned"), (WATCH, "watched"))}
    limits = "adapted to one site's recordings: its published figures do not hold any more"
    changes: Mapping[str, Any] = {
        "name": target.stem,
        "date": datetime.date.today().isoformat(),
        "file": ModelFile(name=target.name, sha256=sha256_of(target), bytes=target.stat().st_size),
        "source": Source(kind="none", note=f"{card.name}, fine-tuned by model_builder adapt on tracks without labels"),
        "figures": (),
        "speed": None,
        "limits": f"{card.limits}; {limits}" if card.limits else limits,
        "evaluation": {
            "command": f"python -m model_builder adapt {card.name}",
            "on": f"{int((site.part == HELD).sum())} tracks held back, {tracks['learned']} learned from",
            "best_step": outcome.step,
            "before": _rounded(outcome.before),
            "after": _rounded(outcome.after),
        },
    }
    adapted = Card.model_validate(card.model_copy(update=dict(changes)).model_dump())
    with written_whole(target.with_name(CARD_FILE)) as part:
        document = adapted.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
        part.write_text(yaml.safe_dump(document, sort_keys=False, width=110), encoding="utf-8")


def _rounded(figures: Figures) -> dict[str, Any]:
    both = {f"tracks_{name}": value for name, value in asdict(figures.tracks).items()}
    if figures.truth:
        both |= {f"across_cameras_{name}": value for name, value in asdict(figures.truth).items()}
    return {name: round(value, 4) for name, value in both.items()}


def as_table(outcome: Outcome) -> Sequence[str]:
    """Before and after, for people."""
    before, after = _rounded(outcome.before), _rounded(outcome.after)
    lines = [f"{'held back':44}{'before':>10}{'after':>10}"]
    lines += [f"{name.replace('_', ' '):44}{before[name]:>10}{after[name]:>10}" for name in before]
    return lines
