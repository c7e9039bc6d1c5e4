"""Exact search with NumPy's matrix product: what the other backends are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from savant_reid.identity.search.protocol import Float32s, Int64s, Nearest, as_rows
from savant_reid.identity.search.ranking import candidates, padded, ranked
from savant_reid.identity.search.rows import Rows, Segment

# OpenBLAS multiplies without copying its operands first while m * n * k is no more than this (on processors with
# AVX-512; elsewhere it makes no difference). With few probes the copying costs more than the product: 10,000 rows x
# 8 probes take 1.1 ms in such pieces, 2.9 ms in one.
_UNCOPIED = 1_000_000
# Up to here probes @ rows.T is the faster order, above it rows @ probes.T.
_FEW_PROBES = 8
# From here on copying pays.
_MANY_PROBES = 48
# Scores held at a time, 16 MB; probes come in batches of at most _PROBES.
_SCORES = 4_194_304
_PROBES = 256


class _Piece(NamedTuple):
    """A segment of the block that was asked for as number `block`."""

    block: int
    segment: Segment


class ExactSearch:
    """Search by brute force on the CPU."""

    def __init__(self, dimension: int, capacity_rows: int) -> None:
        self._rows = Rows(dimension, capacity_rows)

    @property
    def dimension(self) -> int:
        return self._rows.dimension

    @property
    def capacity_rows(self) -> int:
        return self._rows.capacity_rows

    def __len__(self) -> int:
        return self._rows.size

    def replace(self, owner: int, block: int, vectors: Float32s) -> None:
        self._rows.replace(owner, block, as_rows(vectors, self.dimension))

    def remove(self, owner: int) -> None:
        self._rows.remove(owner)

    def rebuild(self, owners: Int64s, blocks: Int64s, vectors: Float32s) -> None:
        self._rows.rebuild(owners, blocks, as_rows(vectors, self.dimension))

    def nearest(self, probes: Float32s, blocks: Sequence[int], k: int) -> Nearest:
        probes = as_rows(probes, self.dimension)
        if len(probes) <= _PROBES:
            return self._nearest(probes, blocks, k)
        parts = [self._nearest(probes[at : at + _PROBES], blocks, k) for at in range(0, len(probes), _PROBES)]
        return Nearest(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _nearest(self, probes: Float32s, blocks: Sequence[int], k: int) -> Nearest:
        cells, owners, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        held = [_Piece(i, segment) for i, block in enumerate(blocks) for segment in self._rows.segments.get(block, ())]
        for pieces in _alike(held, len(probes)):
            products = _products(probes, [piece.segment for piece in pieces])
            probe, piece, at, score = candidates(products, k)
            number = np.array([piece.block for piece in pieces])[piece]
            cells.append(probe * len(blocks) + number)
            owners.append(_owners([piece.segment for piece in pieces], products.shape[2])[piece, at])
            scores.append(score)
        found = np.concatenate(cells), np.concatenate(owners), np.concatenate(scores)
        return ranked(*found, (len(probes), len(blocks)), k)


def _alike(pieces: list[_Piece], probes: int) -> Iterator[list[_Piece]]:
    """Pieces of about the same size together (within a factor of two), so that one array holds their scores."""
    classes: dict[int, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        classes[piece.segment.size.bit_length()].append(piece)
    for length, members in classes.items():
        step = max(1, _SCORES // (max(1, probes) << length))
        for at in range(0, len(members), step):
            yield members[at : at + step]


def _owners(segments: list[Segment], width: int) -> Int64s:
    """(s, width) int64, zero where a segment has no row."""
    owners = np.zeros((len(segments), width), np.int64)
    for row, segment in zip(owners, segments, strict=True):
        row[: segment.size] = segment.owners[: segment.size]
    return owners


def _products(probes: Float32s, segments: list[Segment]) -> Float32s:
    """Every probe times every row: (b, s, padded width) float32, -inf where a segment has no row."""
    width = padded(max(segment.size for segment in segments))
    few = len(probes) <= _FEW_PROBES
    if few:
        products = np.empty((len(probes), len(segments), width), np.float32)
    else:
        products = np.empty((len(segments), width, len(probes)), np.float32).transpose(2, 0, 1)
    transposed = np.ascontiguousarray(probes.T)
    for i, segment in enumerate(segments):
        vectors = segment.vectors[: segment.size]
        if few:
            _multiply_few(vectors, probes, products[:, i])
        else:
            _multiply_many(vectors, transposed, products[:, i].T)
        products[:, i, segment.size :] = -np.inf
    return products


def _multiply_few(vectors: Float32s, probes: Float32s, out: Float32s) -> None:
    """probes @ vectors.T into out (b, >= n)."""
    if len(probes) == 1:
        np.matmul(vectors, probes[0], out=out[0, : len(vectors)])
        return
    step = max(16, _UNCOPIED // (2 * probes.size))
    for at in range(0, len(vectors), step):
        part = vectors[at : at + step]
        np.matmul(probes, part.T, out=out[:, at : at + len(part)])


def _multiply_many(vectors: Float32s, transposed: Float32s, out: Float32s) -> None:
    """vectors @ transposed (D, b) into out (>= n, b)."""
    step = len(vectors) if transposed.shape[1] >= _MANY_PROBES else max(16, _UNCOPIED // transposed.size)
    for at in range(0, len(vectors), step):
        part = vectors[at : at + step]
        np.matmul(part, transposed, out=out[at : at + len(part)])
