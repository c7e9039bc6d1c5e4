"""The best parameters in hindsight: coarse steps first, then finer ones around the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from savant_reid.bench.answers import Answers
from savant_reid.bench.rows import Rows


class Tuned(NamedTuple):
    """The best answers found, with what they were found."""

    answers: Answers
    parameters: dict[str, float]


def best_value(measure: Callable[[float], float], values: Sequence[float], rounds: int = 2) -> tuple[float, float]:
    """(value, score) of the highest score; each further round takes two steps of a third on either side."""
    scores = {value: measure(value) for value in values}
    step = values[1] - values[0] if len(values) > 1 else 0.0
    for _ in range(rounds if step else 0):
        step /= 3
        best = max(scores, key=lambda value: scores[value])
        for value in (best - 2 * step, best - step, best + step, best + 2 * step):
            if value not in scores:
                scores[value] = measure(value)
    best = max(scores, key=lambda value: scores[value])
    return best, scores[best]


def climb(
    measure: Callable[[Sequence[float]], float], start: Sequence[float], strides: Sequence[float], most: int
) -> tuple[tuple[float, ...], float]:
    """(values, score) where no stride along one parameter scores higher; strides halve. At most so many looks."""
    best, reached = tuple(start), measure(start)
    looks, scale = 1, 1.0
    while looks < most:
        before = best
        for index, stride in enumerate(strides):
            for sign in (1, -1):
                values = (*best[:index], best[index] + sign * scale * stride, *best[index + 1 :])
                if stride and looks < most:
                    found, looks = measure(values), looks + 1
                    if found > reached:
                        best, reached = values, found
        if best == before:
            scale /= 2
        if scale < 1 / 8:
            break
    return best, reached


def steps(first: float, last: float, step: float) -> list[float]:
    """Values from first to last, both included."""
    return [round(first + index * step, 6) for index in range(round((last - first) / step) + 1)]


# Sweeps over several parameters look at so many tracks at most; the last, fine one at the whole recording.
SWEEP_TRACKS = 4000


def sample_of(rows: Rows) -> Rows:
    """The first part of a recording that has SWEEP_TRACKS tracks; all of a small one."""
    if rows.tracks <= SWEEP_TRACKS:
        return rows
    return rows.until(int((rows.track >= SWEEP_TRACKS).argmax()))
