"""Embeddings out of buffers as nvinfer leaves them."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.errors import ModelError
from savant_reid.hosts.deepstream.arrays import BatchArrays, OutputLayer
from savant_reid.hosts.deepstream.gather import ROOM, CudaMemory, Gatherer, HostMemory, dimension_of, runs
from savant_reid.hosts.deepstream.pyds_batch import read_batch
from savant_reid.testing.deepstream_memory import REID, Memory, pyds

HALF, FLOAT = 1, 0


def vectors(rows: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)


def read(memory: Memory) -> BatchArrays:
    return read_batch(pyds, memory.batch, REID)


def embeddings_of(memory: Memory, gatherer: Gatherer) -> list[np.ndarray | None]:
    found = gatherer(read(memory))
    return [found.embeddings[row] if row >= 0 else None for row in found.embedding_of]


@pytest.fixture
def gatherer() -> Gatherer:
    return Gatherer(HostMemory(), "person_reid")


def test_one_inference_is_one_copy_however_its_people_lie_in_the_frames(gatherer):
    memory, values = Memory(), vectors(6)
    frames = [memory.frame(0), memory.frame(1)]
    people = [memory.object(frames[place % 2], place) for place in range(6)]
    shuffled = [people[place] for place in (3, 0, 5, 1, 4, 2)]
    memory.tensors(shuffled, [("embedding", values)])
    found = embeddings_of(memory, gatherer)
    assert gatherer.copies == 1
    in_order = [0, 2, 4, 1, 3, 5]
    for row, place in enumerate(in_order):
        assert np.array_equal(found[row], values[shuffled.index(people[place])]), place


def test_inferences_in_buffers_of_their_own_are_a_copy_each(gatherer):
    memory = Memory()
    frame = memory.frame(0)
    people = [memory.object(frame, place) for place in range(5)]
    block = vectors(16)
    first, second = block[1:3], block[9:12]
    memory.tensors([people[0], people[3]], [("embedding", first)])
    memory.tensors([people[1], people[2], people[4]], [("embedding", second)])
    found = embeddings_of(memory, gatherer)
    assert gatherer.copies == 2
    assert np.array_equal(found, [first[0], second[0], second[1], first[1], second[2]])


def test_who_has_no_tensor_has_no_embedding(gatherer):
    memory, values = Memory(), vectors(1)
    frame = memory.frame(0)
    people = [memory.object(frame, place) for place in range(3)]
    assert embeddings_of(memory, gatherer) == [None] * 3
    memory.tensors([people[1]], [("embedding", values)])
    found = embeddings_of(memory, gatherer)
    assert (found[0], found[2]) == (None, None)
    assert np.array_equal(found[1], values[0])
    assert embeddings_of(Memory(), gatherer) == []


def test_what_was_gathered_outlives_the_buffers(gatherer):
    memory, values = Memory(), vectors(2)
    frame = memory.frame(0)
    memory.tensors([memory.object(frame, place) for place in range(2)], [("embedding", values)])
    kept = gatherer(read(memory)).embeddings
    expected = values.copy()
    values[:] = np.nan
    gatherer(read(memory))
    assert np.array_equal(kept, expected)


def test_more_people_than_there_was_room_for(gatherer):
    memory, values = Memory(), vectors(ROOM + 3)
    frame = memory.frame(0)
    memory.tensors([memory.object(frame, place) for place in range(len(values))], [("embedding", values)])
    assert np.array_equal(gatherer(read(memory)).embeddings, values)
    assert gatherer.copies == 1


def test_a_model_exchanged_for_one_of_another_length(gatherer):
    for dimension in (8, 16):
        memory, values = Memory(), vectors(2, dimension)
        frame = memory.frame(0)
        memory.tensors([memory.object(frame, place) for place in range(2)], [("embedding", values)])
        assert np.array_equal(gatherer(read(memory)).embeddings, values)


def test_neighbours():
    width = 32
    assert runs(np.array([100], np.uint64), width) == [(0, 1, 100)]
    addresses = np.array([100, 132, 164, 500, 532, 533, 565], np.uint64)
    assert runs(addresses, width) == [(0, 3, 100), (3, 5, 500), (5, 7, 533)]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], r"found 0 \(none\)"),
        (
            [OutputLayer("a", FLOAT, (512,)), OutputLayer("b", FLOAT, (751,))],
            r"found 2 \(a, b\): export the model with its embedding as the only output",
        ),
        ([OutputLayer("a", HALF, (512,))], "found a of FP16: export the model with an FP32 output"),
        ([OutputLayer("a", 77, (512,))], "found a of data type 77: export the model with an FP32 output"),
        ([OutputLayer("a", FLOAT, (16, 8))], r"found a of shape \[16, 8\]: .* one vector per person"),
        ([OutputLayer("a", FLOAT, (1,))], r"found a of shape \[1\]"),
        ([OutputLayer("a", FLOAT, ())], r"found a of shape \[\]"),
    ],
)
def test_a_model_whose_output_is_no_embedding_is_told_what_it_should_be(layers, message):
    with pytest.raises(ModelError, match=r"person_reid: expected one output layer \(D,\) of FP32, " + message):
        dimension_of(layers, "person_reid")


@pytest.mark.parametrize("shape", [(512,), (512, 1, 1), (1, 512)])
def test_a_vector_may_carry_ones(shape):
    assert dimension_of([OutputLayer("a", FLOAT, shape)], "person_reid") == 512


@pytest.mark.parametrize("layers", [[("a", np.float32), ("b", np.float32)], [("a", np.float16)]])
def test_nothing_is_copied_from_a_model_that_does_not_fit(gatherer, layers):
    memory = Memory()
    person = memory.object(memory.frame(0), 1)
    memory.tensors([person], [(name, np.ones((1, 8), dtype)) for name, dtype in layers])
    for _ in range(2):
        with pytest.raises(ModelError):
            gatherer(read(memory))
    assert gatherer.copies == 0


@pytest.mark.gpu
def test_on_a_gpu_the_buffers_are_copied_and_read_back_once():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no GPU")
    memory, values = Memory(), [vectors(32, 512), vectors(7, 512, seed=1)]
    frame = memory.frame(0)
    people = [memory.object(frame, place) for place in range(40)]
    buffers = [cupy.asarray(one) for one in values]
    for some, buffer in zip((people[:32], people[33:]), buffers, strict=True):
        memory.tensors(some, [("embedding", buffer)])
    gatherer = Gatherer(CountedCuda(), "person_reid")
    for _ in range(2):
        found = embeddings_of(memory, gatherer)
        assert found[32] is None
        assert np.array_equal([one for one in found if one is not None], np.concatenate(values))
    assert (gatherer.copies, gatherer._device.fetched) == (4, 2)
    for buffer in buffers:
        buffer.fill(0)
    assert not np.array(embeddings_of(memory, gatherer)[0]).any()


class CountedCuda(CudaMemory):
    fetched = 0

    def fetch(self, array):
        self.fetched += 1
        return super().fetch(array)
