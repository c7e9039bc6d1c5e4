"""Simulated training and evaluation sets, kept on disk as plain arrays: every epoch reads them at memory speed."""

from __future__ import annotations

import multiprocessing
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FRAME_SHAPE = (360, 640, 3)
CROP_SHAPE = (128, 64, 3)
# Seeds of the three uses never meet; the demo's own seeds are small numbers.
TRAIN_SEED, EVALUATION_SEED = 1_000_000, 2_000_000
# A part holds whole groups of people (12, the sampler's own unit).
FRAMES_PER_CHUNK, IDENTITIES_PER_CHUNK = 250, 48


@dataclass(frozen=True)
class FrameSet:
    """Frames (n, 360, 640, 3) uint8 BGR; per frame boxes (k, 4) float32 ltwh pixels and visibilities (k,) float32."""

    frames: np.ndarray
    boxes: list[np.ndarray]
    visibilities: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class CropSet:
    """Crops (n, 128, 64, 3) uint8 BGR with people and cameras (n,) int64."""

    crops: np.ndarray
    people: np.ndarray
    cameras: np.ndarray

    def __len__(self) -> int:
        return len(self.people)


def frame_set(cache: Path, seed: int, count: int, workers: int = 1) -> FrameSet:
    """The frames of ``seed``: generated in chunks where the cache lacks them."""
    chunks = -(-count // FRAMES_PER_CHUNK)
    files = _generate(_write_frames, cache / "frames", seed, chunks, workers)
    parts = [np.load(file, mmap_mode="r") for file in files]
    truths = [np.load(file.with_suffix(".truth.npz")) for file in files]
    counts = np.concatenate([truth["counts"] for truth in truths])[:count]
    ends = np.cumsum(counts)
    boxes = np.split(np.concatenate([truth["boxes"] for truth in truths])[: ends[-1]], ends[:-1])
    visibilities = np.split(np.concatenate([truth["visibilities"] for truth in truths])[: ends[-1]], ends[:-1])
    return FrameSet(np.concatenate(parts)[:count], boxes, visibilities)


def crop_set(cache: Path, seed: int, identities: int, views: int, workers: int = 1) -> CropSet:
    """The crops of ``identities`` people with ``views`` each, over all cameras."""
    chunks = -(-identities // IDENTITIES_PER_CHUNK)
    files = _generate(_write_crops, cache / f"crops-{views}", seed, chunks, workers)
    truths = [np.load(file.with_suffix(".truth.npz")) for file in files]
    people = np.concatenate([truth["people"] + i * IDENTITIES_PER_CHUNK for i, truth in enumerate(truths)])
    crops = np.concatenate([np.load(file, mmap_mode="r") for file in files])
    chosen = people < identities
    return CropSet(crops[chosen], people[chosen], np.concatenate([truth["cameras"] for truth in truths])[chosen])


def _generate(write, folder: Path, seed: int, chunks: int, workers: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{seed + i}.npy" for i in range(chunks)]
    missing = [(file, seed + i) for i, file in enumerate(files) if not file.exists()]
    if missing:
        print(f"generating {len(missing)} parts in {folder}", file=sys.stderr, flush=True)
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for done, _ in enumerate(pool.imap_unordered(write, missing), 1):
                print(f"\r{done}/{len(missing)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return files


def _write_frames(job: tuple[Path, int]) -> None:
    from simulated_site.training import random_frames

    file, seed = job
    frames = np.empty((FRAMES_PER_CHUNK, *FRAME_SHAPE), np.uint8)
    truths = []
    for i, (image, boxes, visibilities) in enumerate(random_frames(seed, FRAMES_PER_CHUNK)):
        frames[i] = image
        truths.append((np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(visibilities, np.float32).reshape(-1)))
    np.savez(
        file.with_suffix(".truth.npz"),
        boxes=np.concatenate([boxes for boxes, _ in truths]),
        visibilities=np.concatenate([visibilities for _, visibilities in truths]),
        counts=np.array([len(boxes) for boxes, _ in truths]),
    )
    _save(file, frames)


def _write_crops(job: tuple[Path, int]) -> None:
    from simulated_site.training import identity_crops

    file, seed = job
    views = int(file.parent.name.rsplit("-", 1)[1])
    people, cameras, crops = [], [], []
    for person, camera, crop in identity_crops(seed, IDENTITIES_PER_CHUNK, views):
        people.append(person)
        cameras.append(camera)
        crops.append(resized_crop(crop))
    np.savez(file.with_suffix(".truth.npz"), people=np.array(people), cameras=np.array(cameras))
    _save(file, np.stack(crops))


def resized_crop(crop: np.ndarray) -> np.ndarray:
    """Any BGR crop squashed to 128x64 as a pipeline does it: bilinear, the aspect not kept."""
    height, width, _ = CROP_SHAPE
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)


def _save(file: Path, array: np.ndarray) -> None:
    # Renamed last: a part exists only when it is whole, so an interrupted run can go on.
    partial = file.with_suffix(".partial.npy")
    np.save(partial, array)
    partial.rename(file)
