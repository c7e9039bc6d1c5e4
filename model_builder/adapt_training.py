"""The fine-tuning of `adapt`: one track is one person, tracks side by side are two; all other pairs are left alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_builder.augment import embedder_sample
from model_builder.site_crops import LEARN, WATCH, SiteCrops
from model_builder.track_figures import TrackFigures, track_figures
from model_builder.training import half_precision


@dataclass(frozen=True)
class AdaptRecipe:
    """How long and how hard. trained: the last share of the layers.

    keep: weight of staying near the model as it was, which holds what no track of one camera can teach: what a person
    looks like to another camera. patience: looks (every ``look`` steps) without progress before it stops.
    """

    steps: int = 400
    tracks: int = 12
    views: int = 3
    rate: float = 3e-4
    temperature: float = 0.1
    keep: float = 2.0
    trained: float = 0.3
    look: int = 20
    patience: int = 5
    seed: int = 0


def contrastive_loss(embeddings: Tensor, tracks: Tensor, apart: Tensor, temperature: float) -> Tensor:
    """InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) over the pairs that are known.

    ``embeddings`` (n, D) of length one, ``tracks`` (n,) int64, ``apart`` (n, n) bool: two people. A pair of two tracks
    of which nothing is known is neither positive nor negative. Zero where no crop has both.
    """
    logits = embeddings @ embeddings.T / temperature
    same = (tracks[:, None] == tracks[None]) & ~torch.eye(len(tracks), dtype=torch.bool, device=tracks.device)
    others = torch.where(apart, logits, -torch.inf).logsumexp(dim=1, keepdim=True)
    # One term for each positive pair: log(1 + negatives / positive).
    terms = functional.softplus(others - logits)
    counted = same & apart.any(dim=1, keepdim=True)
    return torch.where(counted, terms, 0.0).sum() / counted.sum().clamp(min=1)


def track_batches(site: SiteCrops, recipe: AdaptRecipe) -> Iterator[np.ndarray]:
    """Endless batches of rows (tracks * views,): tracks to learn from, each with others that were seen beside it."""
    rng = np.random.default_rng(recipe.seed)
    learned = np.flatnonzero(site.part == LEARN)
    apart = site.apart[np.ix_(learned, learned)]
    rows = [np.flatnonzero(site.track == track) for track in learned]
    able = np.flatnonzero(apart.any(axis=1))
    while True:
        chosen: list[int] = []
        while len(chosen) < min(recipe.tracks, len(able)):
            first = int(rng.choice(able))
            beside = rng.permutation(np.flatnonzero(apart[first]))[:3]
            chosen = list(dict.fromkeys([*chosen, first, *beside.tolist()]))
        yield np.concatenate(
            [rng.choice(rows[track], recipe.views, replace=len(rows[track]) < recipe.views) for track in chosen]
        )


def as_fed(crops: np.ndarray, colour: str, scale: float, offsets: tuple[float, ...]) -> Tensor:
    """Crops (n, h, w, 3) uint8 BGR as a host feeds them: (n, 3, h, w) float32."""
    pictures = crops[..., ::-1] if colour == "rgb" else crops
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    tensor = tensor.contiguous(memory_format=torch.channels_last)
    return (tensor - torch.tensor(offsets).view(1, 3, 1, 1)) * scale


def choose_trained(module: nn.Module, share: float) -> list[nn.Parameter]:
    """The last ``share`` of the layers with weights, norms among them; the rest is frozen, and costs no way back.

    The norms' own statistics stay as they are: the module is trained in eval mode, as it will be used.
    """
    module.eval().requires_grad_(False)
    layers = [layer for layer in module.modules() if any(True for _ in layer.parameters(recurse=False))]
    first = int(len(layers) * (1 - share))
    for layer in layers[first:]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(True)
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


@torch.no_grad()
def embedded(module: nn.Module, crops: np.ndarray, feed: Callable[[np.ndarray], Tensor], batch: int = 64) -> np.ndarray:
    """(n, D) float32 of length one."""
    parts = [
        functional.normalize(module(feed(crops[i : i + batch])), dim=1).numpy() for i in range(0, len(crops), batch)
    ]
    return np.concatenate(parts)


def adapt(
    module: nn.Module,
    site: SiteCrops,
    feed: Callable[[np.ndarray], Tensor],
    recipe: AdaptRecipe,
    told: Callable[[int, float, TrackFigures], None] = lambda *_: None,
) -> int:
    """Trains ``module`` (pictures as fed to embeddings) in place, up to its best look at the tracks to stop by.

    told: called with step, mean loss and figures of these tracks at each look, step 0 being the model as it was.
    Returns the best step; 0 where it never became better, and then the weights are as before.
    """
    torch.manual_seed(recipe.seed)
    trained = choose_trained(module.to(memory_format=torch.channels_last), recipe.trained)
    optimizer = torch.optim.AdamW(trained, lr=recipe.rate, weight_decay=1e-4)
    anchors = torch.from_numpy(embedded(module, site.crops, feed))
    rows = site.of(WATCH)
    figures = track_figures(site, rows, anchors.numpy()[rows])
    best, best_step, weights, losses = _score(figures), 0, copy.deepcopy(module.state_dict()), [0.0]
    told(0, 0.0, figures)
    rng = np.random.default_rng(recipe.seed)
    for step, batch in enumerate(track_batches(site, recipe), 1):
        losses.append(_step(module, site, batch, anchors, feed, recipe, rng, optimizer, trained))
        if step % recipe.look == 0 or step == recipe.steps:
            figures = track_figures(site, rows, embedded(module, site.crops[rows], feed))
            told(step, float(np.mean(losses[-recipe.look :])), figures)
            if _score(figures) > best:
                best, best_step, weights = _score(figures), step, copy.deepcopy(module.state_dict())
        if step >= recipe.steps or step - best_step >= recipe.patience * recipe.look:
            break
    module.load_state_dict(weights)
    return best_step


def _score(figures: TrackFigures) -> float:
    """The order of all pairs and the few hard ones: either alone can rise while the other falls."""
    return figures.auc - figures.missed


def _step(
    module: nn.Module,
    site: SiteCrops,
    batch: np.ndarray,
    anchors: Tensor,
    feed: Callable[[np.ndarray], Tensor],
    recipe: AdaptRecipe,
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer,
    trained: list[nn.Parameter],
) -> float:
    crops = np.stack([embedder_sample(site.crops[row], rng) for row in batch])
    tracks = site.track[batch]
    with half_precision():
        features = module(feed(crops))
    embeddings = functional.normalize(features.float(), dim=1)
    apart = torch.from_numpy(site.apart[np.ix_(tracks, tracks)])
    contrast = contrastive_loss(embeddings, torch.from_numpy(tracks), apart, recipe.temperature)
    # Towards what the model said of the whole crop before: changes of light and erased parts are unlearned with it.
    drift = (1 - (embeddings * anchors[batch]).sum(dim=1)).mean()
    optimizer.zero_grad(set_to_none=True)
    (contrast + recipe.keep * drift).backward()
    nn.utils.clip_grad_norm_(trained, 5.0)
    optimizer.step()
    return float(contrast.detach())
