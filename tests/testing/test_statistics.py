"""Embeddings against what was measured with OSNet x0.25 on real two-camera footage (unoccluded crops)."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.testing import Recording, preset

CROPS, SEEDS = 1500, 4
# Cosines, norm of the mean embedding, AUC of same against different people across cameras before and after the camera's
# mean is taken off. docs/recordings.md has the same table.
REAL = {
    "same camera, mean": 0.84,
    "same camera, std": 0.05,
    "across cameras, mean": 0.77,
    "across cameras, std": 0.08,
    "different people, mean": 0.58,
    "different people, std": 0.09,
    "norm": 0.77,
    "AUC": 0.937,
    "AUC, centred": 0.976,
}


def clean_crops(recording):
    """Embeddings, persons and cameras of people whose box no other box touches."""
    embeddings, persons, cameras = [], [], []
    for moment in recording.moments():
        for index, (sightings, who, truth) in enumerate(
            zip(moment.sightings, moment.persons, moment.truth, strict=True)
        ):
            low, high = truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]
            touch = (np.minimum(high[:, None], high) > np.maximum(low[:, None], low)).all(axis=2).sum(axis=1) > 1
            keep = np.isin(who, truth.persons[~touch]) & (sightings.embedding_of >= 0)
            embeddings.append(sightings.embeddings[sightings.embedding_of[keep]])
            persons.append(who[keep])
            cameras.append(np.full(int(keep.sum()), index))
    columns = [np.concatenate(column) for column in (embeddings, persons, cameras)]
    chosen = np.random.default_rng(0).permutation(len(columns[0]))[:CROPS]
    return [column[chosen] for column in columns]


def kinds_of_pairs(embeddings, persons, cameras):
    cosine = embeddings @ embeddings.T
    once = np.triu(np.ones(cosine.shape, bool), 1)
    same, here = persons[:, None] == persons, cameras[:, None] == cameras
    return {
        "same camera": cosine[once & same & here],
        "across cameras": cosine[once & same & ~here],
        "different people": cosine[once & ~same & ~here],
    }


def auc(pairs):
    same, different = pairs["across cameras"], pairs["different people"]
    rank = np.empty(len(same) + len(different))
    rank[np.argsort(np.concatenate([same, different]), kind="stable")] = np.arange(1, len(rank) + 1)
    return (rank[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(different))


def measure(seed):
    """All figures of one recording."""
    embeddings, persons, cameras = clean_crops(Recording(preset("real", seed, fps=0.5)))
    pairs = kinds_of_pairs(embeddings, persons, cameras)
    means = np.stack([embeddings[cameras == camera].mean(axis=0) for camera in range(cameras.max() + 1)])
    centred = embeddings - means[cameras]
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    figures = {f"{kind}, {name}": getattr(np, name)(pairs[kind]) for kind in pairs for name in ("mean", "std")}
    figures["norm"] = np.linalg.norm(embeddings.mean(axis=0))
    figures["AUC"], figures["AUC, centred"] = auc(pairs), auc(kinds_of_pairs(centred, persons, cameras))
    return figures


@pytest.fixture(scope="module")
def figures():
    """Means over recordings: each site has its own cameras, some more alike than others."""
    rows = [measure(seed) for seed in range(SEEDS)]
    return {name: np.mean([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("name", REAL)
def test_figures_are_those_of_real_footage(figures, name):
    assert figures[name] == pytest.approx(REAL[name], abs=0.015 if "AUC" in name else 0.02)


def mean_look(persons, embeddings):
    return {person: embeddings[persons == person].mean(axis=0) for person in np.unique(persons) if person > 0}


def nearest_looks(look_alike_share):
    """(people,) cosine of each person's mean look to the most similar other one, ascending."""
    settings = preset("real", people=60, look_alike_share=look_alike_share, seconds=300.0, fps=0.5)
    embeddings, persons, cameras = clean_crops(Recording(settings))
    centred = embeddings - np.stack([embeddings[cameras == c].mean(axis=0) for c in range(8)])[cameras]
    looks = np.stack(list(mean_look(persons, centred).values()))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    return np.sort((looks @ looks.T - 2 * np.eye(len(looks))).max(axis=1))


def test_look_alikes_look_alike():
    nobody, half = nearest_looks(0.0), nearest_looks(0.5)
    assert half[-24:].mean() > nobody[-24:].mean() + 0.15
    assert half[:24].mean() < nobody[:24].mean() + 0.1


def test_who_is_covered_looks_like_who_covers():
    own, other = [], []
    recording = Recording(preset("real", seed=4, seconds=300.0, fps=1.0))
    embeddings, persons, _ = clean_crops(recording)
    look = mean_look(persons, embeddings)
    for moment in recording.moments():
        for sightings, who, truth in zip(moment.sightings, moment.persons, moment.truth, strict=True):
            low, high = truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]
            shared = np.prod(np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None), axis=2)
            covered = shared / np.prod(truth.boxes[:, 2:], axis=1)[:, None] * (high[None, :, 1] > high[:, None, 1])
            for row, column in np.argwhere(covered > 0.6):
                place = np.flatnonzero(who == truth.persons[row])
                pair = [int(truth.persons[row]), int(truth.persons[column])]
                if len(place) and sightings.embedding_of[place[0]] >= 0 and all(person in look for person in pair):
                    crop = sightings.embeddings[sightings.embedding_of[place[0]]]
                    own.append(crop @ look[pair[0]])
                    other.append(crop @ look[pair[1]])
    assert len(own) > 30
    assert np.mean(other) > np.mean(own)
