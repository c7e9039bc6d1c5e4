"""Trains the re-ID embedder on crops of simulated people: a BN-neck, identity and triplet loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from model_builder.architectures.osnet import OSNetEmbedder
from model_builder.augment import embedder_sample
from model_builder.data import CropSet
from model_builder.losses import CosineClassifier, batch_hard_triplet
from model_builder.training import AveragedModel, Progress, as_input, cosine_schedule, half_precision, optimizer_of


@dataclass(frozen=True)
class EmbedderRecipe:
    """How long and how hard."""

    steps: int = 4000
    people: int = 16
    views: int = 4
    neighbours: int = 4
    rate: float = 1.5e-3
    # The first share of the steps sees crops of half the size: a quarter of the time, and clothes can be told already.
    small_share: float = 0.65
    weight_decay: float = 0.02
    seed: int = 0


class PersonBatches(IterableDataset):
    """Batches of ``people`` x ``views`` crops; a person's views come from as many cameras as there are."""

    def __init__(self, crops: CropSet, recipe: EmbedderRecipe) -> None:
        self._crops, self._recipe = crops, recipe
        order = np.argsort(crops.people, kind="stable")
        self._rows = np.split(order, np.flatnonzero(np.diff(crops.people[order])) + 1)

    def __len__(self) -> int:
        return self._recipe.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rng = np.random.default_rng(self._recipe.seed)
        waiting = np.empty(0, np.int64)
        for _ in range(self._recipe.steps):
            if len(waiting) < self._recipe.people:
                waiting = self._shuffled_people(rng)
            people, waiting = np.split(waiting, [self._recipe.people])
            rows = np.concatenate([self._views(self._rows[person], rng) for person in people])
            crops = np.stack([embedder_sample(self._crops.crops[row], rng) for row in rows])
            yield torch.from_numpy(crops), torch.from_numpy(np.repeat(people, self._recipe.views))

    def _shuffled_people(self, rng: np.random.Generator) -> np.ndarray:
        """Everybody once, neighbours together: look-alikes have adjacent numbers and were seen by the same cameras, so
        that the hardest negatives of a batch are the ones that a site has too."""
        starts = np.arange(-int(rng.integers(self._recipe.neighbours)), len(self._rows), self._recipe.neighbours)
        runs = rng.permutation(starts)[:, None] + np.arange(self._recipe.neighbours)
        return runs[(runs >= 0) & (runs < len(self._rows))]

    def _views(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = rng.permutation(rows)
        cameras = self._crops.cameras[rows]
        turn = np.array([(cameras[:i] == camera).sum() for i, camera in enumerate(cameras)])
        return np.resize(rows[np.argsort(turn, kind="stable")], self._recipe.views)

    @property
    def people(self) -> int:
        """How many different people the set has."""
        return len(self._rows)


def embedder_step(
    model: OSNetEmbedder, classifier: CosineClassifier, crops: Tensor, people: Tensor, small: bool = False
) -> tuple[Tensor, Tensor]:
    """Identity and triplet loss of one batch; ``small`` halves the crops."""
    inputs = as_input(crops)
    with half_precision():
        features = model.features(functional.avg_pool2d(inputs, 2) if small else inputs)
    identity = functional.cross_entropy(classifier(features, people), people)
    return identity, batch_hard_triplet(functional.normalize(features, dim=1), people)


def train_embedder(crops: CropSet, recipe: EmbedderRecipe, start: dict[str, Tensor] | None = None) -> OSNetEmbedder:
    """The averaged model after ``recipe.steps``; ``start`` goes on from other weights."""
    torch.manual_seed(recipe.seed)
    batches = PersonBatches(crops, recipe)
    model = OSNetEmbedder()
    if start is not None:
        model.load_state_dict(start)
    model = model.to(memory_format=torch.channels_last).train()
    classifier = CosineClassifier(model.neck.num_features, batches.people)
    optimizer = optimizer_of(nn.ModuleList((model, classifier)), recipe.rate, recipe.weight_decay)
    schedule = cosine_schedule(optimizer, recipe.steps, warm_up=min(200, recipe.steps // 5 + 1))
    average, progress = AveragedModel(model), Progress(recipe.steps)
    for step, (images, people) in enumerate(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)):
        small = step < recipe.steps * recipe.small_share
        identity_loss, triplet_loss = embedder_step(model, classifier, images, people, small)
        optimizer.zero_grad(set_to_none=True)
        (identity_loss + triplet_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        average.update(model)
        progress.report(step, len(people), identity=identity_loss.item(), triplet=triplet_loss.item())
    return average.model
