"""One to one: the assignment with the highest total value.

The shortest augmenting path algorithm for the linear assignment problem (Jonker and Volgenant 1987, in the form of
Crouse, "On implementing 2D rectangular assignment algorithms", IEEE TAES 2016), the inner loop vectorised. Written
here because the core imports NumPy alone; the tests hold it against scipy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(rows,) column of each row so that the sum of values is greatest; values: (rows, columns), rows <= columns.

    Every row gets a column of its own; forbidden pairs are marked by a very low finite value.
    """
    rows, columns = values.shape
    if rows > columns:
        raise ValueError(f"expected at least as many columns as rows, found {rows} rows and {columns} columns")
    costs = -values
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1, np.int64)
    column_of = np.full(rows, -1, np.int64)
    for row in range(rows):
        _augment(row, costs, row_price, column_price, row_of, column_of)
    return column_of


def _augment(
    start: int,
    costs: NDArray[np.float64],
    row_price: NDArray[np.float64],
    column_price: NDArray[np.float64],
    row_of: NDArray[np.int64],
    column_of: NDArray[np.int64],
) -> None:
    """Find the cheapest path from row `start` to a free column, and flip the assignments along it."""
    columns = costs.shape[1]
    nearest = costs[start] - column_price
    column = int(np.argmin(nearest))
    if row_of[column] < 0:  # as for most: its cheapest column is free
        row_of[column], column_of[start], row_price[start] = start, column, nearest[column]
        return
    distance = np.full(columns, np.inf)
    came_from = np.full(columns, -1, np.int64)
    done = np.zeros(columns, bool)
    row, length = start, 0.0
    reached = [start]
    while True:
        through = length + costs[row] - row_price[row] - column_price
        better = ~done & (through < distance)
        distance[better], came_from[better] = through[better], row
        column = int(np.argmin(np.where(done, np.inf, distance)))
        length = float(distance[column])
        done[column] = True
        if row_of[column] < 0:
            break
        row = int(row_of[column])
        reached.append(row)
    row_price[start] += length
    for other in reached[1:]:
        row_price[other] += length - distance[column_of[other]]
    column_price[done] -= length - distance[done]
    while True:
        row = int(came_from[column])
        row_of[column] = row
        column_of[row], column = column, int(column_of[row])
        if row == start:
            return
