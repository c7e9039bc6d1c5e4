"""Exact search with NumPy's matrix product: what the other backends are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from savant_reid.identity.search.host import HostSearch, Piece
from savant_reid.identity.search.protocol import Float32s, Int64s
from savant_reid.identity.search.ranking import Found, candidates, group_rows
from savant_reid.identity.search.segments import Segment

# OpenBLAS multiplies without copying its operands first while m * n * k is no more than this (on processors with
# AVX-512; elsewhere it makes no difference). With few probes the copying costs more than the product: 10,000 rows x
# 8 probes take 1.1 ms in such pieces, 2.9 ms in one.
_UNCOPIED = 1_000_000
# Up to here probes @ rows.T is the faster order, above it rows @ probes.T.
_FEW_PROBES = 8
# From here on copying pays.
_MANY_PROBES = 48
# Where there is a bound, pieces up to this size are multiplied and compared together: the operations cost more to
# start, piece by piece, than the copying and the ordering of a few rows too many.
_FEW_ROWS = 256
# Rows copied together for one product: 2 MB at D = 512, which the cache holds.
_RUN_ROWS = 1024
# Scores held at a time, 16 MB.
_SCORES = 4_194_304


class ExactSearch(HostSearch):
    """Search by brute force with NumPy."""

    def __init__(self, dimension: int, capacity_rows: int) -> None:
        super().__init__(dimension, capacity_rows)
        # Where rows are copied together: new memory each time would cost more than the copying.
        self._together = np.zeros((_RUN_ROWS, dimension), np.float32)

    def _candidates(self, probes: Float32s, pieces: list[Piece], k: int, least: Float32s | None) -> Iterator[Found]:
        if least is not None:
            few = [piece for piece in pieces if piece.segment.size <= _FEW_ROWS]
            pieces = [piece for piece in pieces if piece.segment.size > _FEW_ROWS]
            for some in _runs(few, max(_RUN_ROWS, _SCORES // len(probes))):
                yield _at_least(probes, some, least, self._together)
        for some in _alike(pieces, len(probes)):
            segments = [piece.segment for piece in some]
            widest = max(segment.size for segment in segments)
            group = group_rows(widest, k)
            products = _products(probes, segments, -(-widest // group) * group)
            blocks = np.array([piece.block for piece in some])
            probe, segment, at, score = candidates(products, group, k, least[:, blocks] if least is not None else None)
            yield Found(probe, blocks[segment], _owners(segments, products.shape[2])[segment, at], score)


def _runs(pieces: list[Piece], most: int) -> Iterator[list[Piece]]:
    """Pieces in their order, as many at a time as have `most` rows together."""
    run: list[Piece] = []
    rows = 0
    for piece in pieces:
        if run and rows + piece.segment.size > most:
            yield run
            run, rows = [], 0
        run.append(piece)
        rows += piece.segment.size
    if run:
        yield run


def _at_least(probes: Float32s, pieces: list[Piece], least: Float32s, together: Float32s) -> Found:
    """All rows of the pieces that are as alike as asked for. together: (_RUN_ROWS, D) to copy them into."""
    sizes = [piece.segment.size for piece in pieces]
    scores = np.empty((sum(sizes), len(probes)), np.float32)
    transposed, at = np.ascontiguousarray(probes.T), 0
    for run in _runs(pieces, _RUN_ROWS):
        rows = sum(segment.size for _, segment in run)
        vectors = np.concatenate([segment.vectors[: segment.size] for _, segment in run], out=together[:rows])
        _multiply_many(vectors, transposed, scores[at : at + len(vectors)])
        at += len(vectors)
        vectors[:] = 0.0  # nothing of a person stays behind
    blocks = np.repeat([piece.block for piece in pieces], sizes)
    row, probe = np.divmod(np.flatnonzero(scores >= least.T[blocks]), len(probes))  # nonzero takes twice as long
    owners = np.concatenate([segment.owners[: segment.size] for _, segment in pieces])
    return Found(probe, blocks[row], owners[row], scores[row, probe])


def _alike(pieces: list[Piece], probes: int) -> Iterator[list[Piece]]:
    """Pieces of about the same size together (within a factor of two), so that one array holds their scores."""
    classes: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        classes[piece.segment.size.bit_length()].append(piece)
    for length, members in classes.items():
        step = max(1, _SCORES // (probes << length))
        for at in range(0, len(members), step):
            yield members[at : at + step]


def _owners(segments: list[Segment], width: int) -> Int64s:
    """(s, width) int64, zero where a segment has no row."""
    owners = np.zeros((len(segments), width), np.int64)
    for row, segment in zip(owners, segments, strict=True):
        row[: segment.size] = segment.owners[: segment.size]
    return owners


def _products(probes: Float32s, segments: list[Segment], width: int) -> Float32s:
    """Every probe times every row: (b, s, width) float32, -inf where a segment has no row."""
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
