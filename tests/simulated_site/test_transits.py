"""What site.yml promises about walking times holds in the truth."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
import yaml

from simulated_site.render import render_frame
from simulated_site.site import make_site
from simulated_site.site_file import site_document


@pytest.mark.parametrize("seed", [0, 1])
def test_transit_times_lie_in_the_declared_windows(seed):
    site = make_site(seed, cameras=4, people=12, seconds=60)
    windows = {}
    for row in yaml.safe_load(site_document(site))["transitions"]:
        windows[row["from"], row["to"]] = windows[row["to"], row["from"]] = row["seconds"]
    sights = defaultdict(list)
    stride = 5
    for name in site.cameras:
        for frame in range(0, site.frames, stride):
            for row in render_frame(site, name, frame)[1]:
                sights[row.global_id].append((frame, name))
    transits = 0
    for seen in sights.values():
        seen.sort()
        for (left, a), (arrived, b) in pairwise(seen):
            if a == b:
                continue
            low, high = windows[a, b]
            # Sampling every fifth frame lengthens a gap by less than two strides.
            assert low <= (arrived - left) / site.fps <= high + 2 * stride / site.fps
            transits += 1
    assert transits >= 10
