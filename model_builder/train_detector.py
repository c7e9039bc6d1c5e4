"""Trains the person detector on frames of the simulated site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model_builder.architectures.detector import PersonDetector, grid_points
from model_builder.assigner import TaskAlignedAssigner
from model_builder.augment import detector_sample
from model_builder.data import FrameSet
from model_builder.losses import detection_loss
from model_builder.training import AveragedModel, Progress, as_input, cosine_schedule, half_precision, optimizer_of

INPUT_HW = (192, 320)
# Trained on small pictures, which is quick, and run on larger ones: far people then have the size that it knows best.
# At 320x192 the same weights find 92 to 94 % of the people that they find 96 to 97 % of at 512x288 (two demo sites).
EXPORT_HW = (288, 512)
# Less of a person than this can be seen: neither asked for nor punished.
LEAST_VISIBILITY = 0.25


@dataclass(frozen=True)
class DetectorRecipe:
    """How long and how hard."""

    epochs: int = 12
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0
    # The last share of the steps sees frames as a pipeline does: no zoom, fewer faults.
    calm_share: float = 0.15


class FrameDataset(Dataset):
    """Augmented inputs; the random numbers depend on recipe seed, epoch position and frame only."""

    def __init__(self, frames: FrameSet, recipe: DetectorRecipe) -> None:
        self._frames, self._recipe = frames, recipe
        self._total = len(frames) * recipe.epochs

    def __len__(self) -> int:
        return self._total

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch, position = divmod(index, len(self._frames))
        rng = np.random.default_rng((self._recipe.seed, epoch, position))
        order = np.random.default_rng((self._recipe.seed, epoch)).permutation(len(self._frames))
        frame = int(order[position])
        strength = 0.4 if index > self._total * (1 - self._recipe.calm_share) else 1.0
        return detector_sample(
            self._frames.frames[frame],
            self._frames.boxes[frame],
            self._frames.visibilities[frame],
            INPUT_HW,
            rng,
            strength,
        )


def collated(samples: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor, Tensor]:
    """Images (batch, h, w, 3) uint8, boxes (batch, most, 4) ltrb, kinds (batch, most): 1 person, -1 ignored, 0 none."""
    most = max(1, *(len(boxes) for _, boxes, _ in samples))
    boxes = np.zeros((len(samples), most, 4), np.float32)
    kinds = np.zeros((len(samples), most), np.int64)
    for i, (_, targets, shares) in enumerate(samples):
        boxes[i, : len(targets)] = targets
        kinds[i, : len(targets)] = np.where(shares >= LEAST_VISIBILITY, 1, -1)
    images = np.stack([image for image, _, _ in samples])
    return torch.from_numpy(images), torch.from_numpy(boxes), torch.from_numpy(kinds)


def detector_step(
    model: PersonDetector, images: Tensor, boxes: Tensor, kinds: Tensor, assigner: TaskAlignedAssigner
) -> tuple[Tensor, Tensor]:
    """Classification and box loss of one batch, in float32 after a pass in half precision."""
    inputs = as_input(images) / 255
    with half_precision():
        logits, distances = model.raw(inputs)
    logits, distances = logits.float(), distances.float()
    points, _ = grid_points(inputs.shape[2], inputs.shape[3])
    predicted = torch.cat((points - distances[..., :2], points + distances[..., 2:]), dim=2)
    target = assigner(logits.detach().sigmoid(), predicted.detach(), points, boxes, kinds)
    return detection_loss(logits, predicted, target.boxes, target.scores, target.counted)


def train_detector(frames: FrameSet, recipe: DetectorRecipe, start: dict[str, Tensor] | None = None) -> PersonDetector:
    """The averaged model after ``recipe.epochs``; ``start`` goes on from other weights."""
    torch.manual_seed(recipe.seed)
    model = PersonDetector()
    if start is not None:
        model.load_state_dict(start)
    model = model.to(memory_format=torch.channels_last).train()
    loader = DataLoader(
        FrameDataset(frames, recipe),
        recipe.batch,
        num_workers=1,
        collate_fn=collated,
        prefetch_factor=6,
        drop_last=True,
    )
    optimizer = optimizer_of(model, recipe.rate, recipe.weight_decay)
    schedule = cosine_schedule(optimizer, len(loader), warm_up=min(200, len(loader) // 5 + 1))
    average, progress, assigner = AveragedModel(model), Progress(len(loader)), TaskAlignedAssigner()
    for step, (images, boxes, kinds) in enumerate(loader):
        class_loss, box_loss = detector_step(model, images, boxes, kinds, assigner)
        optimizer.zero_grad(set_to_none=True)
        (class_loss + box_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        average.update(model)
        progress.report(step, recipe.batch, classes=class_loss.item(), boxes=box_loss.item())
    return average.model
