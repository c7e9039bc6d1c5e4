from __future__ import annotations

import itertools
import json

from click.testing import CliRunner

from savant_reid.bench.command import bench_command
from savant_reid.bench.load import HEADER


def test_a_line_for_so_many_sightings_and_one_for_the_rest() -> None:
    shown = CliRunner().invoke(bench_command, ["load", "--recording", "easy", "--seconds", "30", "--every", "500"])
    assert shown.exit_code == 0, shown.output
    head, *lines = shown.output.splitlines()
    assert head == HEADER
    assert len(lines) >= 3
    told = CliRunner().invoke(
        bench_command, ["load", "--recording", "easy", "--seconds", "30", "--every", "500", "--json"]
    )
    readings = json.loads(told.output)["readings"]
    assert len(readings) == len(lines)
    sightings = [one["sightings"] for one in readings]
    assert all(later - earlier >= 500 for earlier, later in itertools.pairwise(sightings[:-1]))
    last = readings[-1]
    assert 25.0 < last["seconds"] <= 30.0
    assert last["shared_ids"] == 0
    assert last["prototypes"] > 0
    assert last["identities"] > 0
    assert last["us_per_sighting"] > 0
