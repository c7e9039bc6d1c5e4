from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from savant_reid.bench import costs
from savant_reid.bench.command import bench_command
from savant_reid.bench.gatherer import gather
from tests.bench.scenes import HandMade, axis, make_rows


def test_argmax_shares_what_looks_alike() -> None:
    """Persons 0 and 1 look the same: in the frames that show both, one of two rows shares."""
    seen = [(0, float(s), 1 + p, p, axis(0)) for s in range(6) for p in range(2)]
    assert costs.plain_argmax_share(make_rows(seen), frames=3, prototypes=4) == pytest.approx(0.5)
    apart = [(0, float(s), 1 + p, p, axis(p)) for s in range(6) for p in range(2)]
    assert costs.plain_argmax_share(make_rows(apart), frames=3, prototypes=4) == 0.0


def test_the_naive_loop_costs_more_with_more_prototypes() -> None:
    rows = gather(HandMade())
    few, many = (min(costs.naive_us(rows, 20, n) for _ in range(3)) for n in (10, 100_000))
    assert 0 < few < many


def test_memory_is_told_beside_what_is_held() -> None:
    figure = costs.memory_with_people_passing(200)
    assert isinstance(figure["value"], float)
    assert 0 < int(str(figure["identities_held"])) <= costs.CAPACITY


def test_figures_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [{"what": "one", "value": np.pi, "unit": "us", "target": 4.0, "baseline": {"naive": 110.0}}]
    monkeypatch.setattr(costs, "measure", lambda: figures)
    shown = CliRunner().invoke(bench_command, [])
    assert shown.output.strip() == "one: 3.14 us (target 4; naive 110)"
    assert '"value": 3.14159' in CliRunner().invoke(bench_command, ["--json"]).output
