"""The way of a message is measured from end to end, and nothing of it is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from savant_reid.bench import outputs, outputs_load
from savant_reid.bench.command import bench_command


def test_percentiles_are_of_what_has_both_ends():
    begin = {("a", n): n * 1_000_000 for n in range(101)}
    end = {key: at + 1_000_000 * key[1] for key, at in begin.items() if key[1] != 100} | {("b", 0): 5}
    assert outputs.percentiles(begin, end) == [49.5, pytest.approx(98.01)]


def test_everybody_has_an_embedding_at_first_and_then_one_in_two_seconds():
    batches = list(outputs_load.moments(outputs_load.Load(cameras=2, people=3, frames_per_second=10, seconds=10)))
    given = np.array([[(seen.embedding_of >= 0).sum() for seen in batch] for batch in batches])
    assert given.shape == (100, 2)
    assert (given[: outputs_load.FIRST_EMBEDDINGS] == 3).all()
    assert 2 * 3 * 4 <= given[outputs_load.FIRST_EMBEDDINGS :].sum() <= 2 * 3 * 5


@pytest.mark.slow
@pytest.mark.parametrize("full_speed", [False, True], ids=["in real time", "at full speed"])
def test_both_ways_and_the_baseline_are_measured_through_other_processes(full_speed):
    options = ["outputs", "--cameras", "3", "--people", "2", "--seconds", "1", "--json"]
    done = CliRunner().invoke(bench_command, options + ["--full-speed"] * full_speed, catch_exceptions=False)
    figures = json.loads(done.stdout)["figures"]
    assert [("Kafka" in one["what"], "ZeroMQ" in one["what"]) for one in figures] == [(True, False), (False, True)]
    for figure in figures:
        assert (figure["frames"], figure["missing"]) == (30, 0)
        assert 0 < figure["value"] <= figure["p99_ms"] < 10_000
        # The other process may have a message before the call that sends it returns.
        assert 0 < figure["handed_over_ms"][0] < 10_000
        assert ("from_arrival_ms" in figure) == (not full_speed)
        if not full_speed:
            assert figure["from_arrival_ms"][0] >= figure["value"] - 0.01
    assert all(value > 0 for value in figures[0]["baseline"].values())
