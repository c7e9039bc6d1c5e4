"""What the host's figures are made of."""

from __future__ import annotations

import numpy as np

from savant_reid.bench import host
from savant_reid.hosts.deepstream.pyds_batch import read_batch
from savant_reid.testing.deepstream_memory import REID, pyds


def test_figures_say_what_was_measured_and_stand_beside_the_naive_loop() -> None:
    (figure,) = host.measure(((2, 40),))
    parts = float(str(figure["sightings_with_embeddings_us"])) + float(str(figure["decisions_us"]))
    assert figure["value"] == parts
    assert figure["what"] == "Savant's host without the search, per object, 2 cameras x 40 people"
    assert figure["baseline"]["naive loop per object"] > 0  # type: ignore[index]
    # 80 people in inferences of 32.
    assert (figure["device_copies"], figure["reads_back_from_the_device"]) == (3, 1)


def test_both_ways_see_the_same_people() -> None:
    memory = host.batch_of(3, 5)
    storage: host.Storage = {}
    assert host.naive(memory.batch, storage) == 15
    arrays = read_batch(pyds, memory.batch, REID)
    assert set(storage) == set(arrays.uids.tolist())
    assert np.count_nonzero(arrays.tensors) == len(set(arrays.tensors.tolist())) == 15
