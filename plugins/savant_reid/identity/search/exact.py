"""Exact search with NumPy's matrix product: what the other backends are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from savant_reid.identity.search.host import HostSearch, Piece
from savant_reid.identity.search.products import Factor
from savant_reid.identity.search.protocol import Float32s, Int64s
from savant_reid.identity.search.ranking import Found, candidates, group_rows
from savant_reid.identity.search.segments import Segment

# Where there is a bound, the scores of pieces up to this size are compared together: the operations cost more to start,
# piece by piece, than the ordering of a few rows too many.
_FEW_ROWS = 256
# Scores held at a time, 16 MB.
_SCORES = 4_194_304


class ExactSearch(HostSearch):
    """Search by brute force with NumPy."""

    def _candidates(self, probes: Float32s, pieces: list[Piece], k: int, least: Float32s | None) -> Iterator[Found]:
        factor = Factor(probes)
        if least is not None:
            few = [piece for piece in pieces if piece.segment.size <= _FEW_ROWS]
            pieces = [piece for piece in pieces if piece.segment.size > _FEW_ROWS]
            for some in _runs(few, _SCORES // len(probes)):
                yield _at_least(factor, some, least)
        for some in _alike(pieces, len(probes)):
            segments = [piece.segment for piece in some]
            widest = max(segment.size for segment in segments)
            group = group_rows(widest, k)
            products = _products(factor, len(probes), segments, -(-widest // group) * group)
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


def _at_least(factor: Factor, pieces: list[Piece], least: Float32s) -> Found:
    """All rows of the pieces that are as alike as asked for."""
    sizes = [segment.size for _, segment in pieces]
    scores, end = np.empty((sum(sizes), len(least)), np.float32), 0
    for _, segment in pieces:
        start, end = end, end + segment.size
        factor.times(segment.vectors[: segment.size], scores[start:end])
    numbers = [piece.block for piece in pieces]
    bounds = np.repeat(least.T[numbers], sizes, axis=0)
    at = np.flatnonzero(scores >= bounds)  # nonzero takes twice as long
    row = at // len(least)
    owners = np.concatenate([segment.owners[: segment.size] for _, segment in pieces])
    return Found(at - row * len(least), np.repeat(numbers, sizes)[row], owners[row], scores.ravel()[at])


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


def _products(factor: Factor, probes: int, segments: list[Segment], width: int) -> Float32s:
    """Every probe times every row: (b, s, width) float32, -inf where a segment has no row."""
    products = np.empty((len(segments), width, probes), np.float32)
    for scores, segment in zip(products, segments, strict=True):
        factor.times(segment.vectors[: segment.size], scores[: segment.size])
        scores[segment.size :] = -np.inf
    by_probe: Float32s = products.transpose(2, 0, 1)
    return by_probe
