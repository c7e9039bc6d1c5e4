"""site.yml of a simulated site: what an installer would know - the plan and how long people take - and nothing of
the truth.
"""

from __future__ import annotations

import math

import yaml

from simulated_site.plan import STUB_END_M, STUB_OUT_M, Link
from simulated_site.routes import AWAY_SECONDS, DWELL_SECONDS, SPEEDS, WAIT_SECONDS
from simulated_site.site import Site

SLACK_SECONDS = 1.0
FAST_MARGIN = 1.1  # somebody may be a little faster than the fastest assumed


def transit_window(site: Site, link: Link) -> list[float]:
    """Seconds between the last sight in one room and the first in the other, at least and at most.

    Least: the corridor and the hidden half of both stubs, at a brisk walk. Most: besides, a walk across the unseen
    parts of both rooms
    (up to half of the room's diagonal) and one stop there, slowly, and a wait in the corridor.
    """
    stub_m = STUB_OUT_M + STUB_END_M
    diagonals = sum(math.hypot(site.plan.rooms[r].width, site.plan.rooms[r].depth) for r in (link.room_a, link.room_b))
    least = (link.length_m + STUB_END_M) / (SPEEDS[1] * FAST_MARGIN) - SLACK_SECONDS
    walk = (link.length_m + 2 * stub_m + 0.5 * diagonals) / SPEEDS[0]
    most = walk + DWELL_SECONDS[1] + WAIT_SECONDS + SLACK_SECONDS
    return [round(max(0.5, least), 1), round(most, 1)]


def _transitions(site: Site) -> list[dict[str, object]]:
    names = list(site.cameras)
    rows: list[dict[str, object]] = []
    for link in site.plan.links:
        ends = {"from": names[link.room_a], "to": names[link.room_b]}
        rows.append({**ends, "seconds": transit_window(site, link), "both_ways": True})
    return rows


def site_document(site: Site) -> str:
    """The text of site.yml; video paths are relative to the file's folder."""
    cameras = {}
    rooms = {}
    for name in site.cameras:
        camera, room = site.camera(name), site.room(name)
        cameras[name] = {"source": f"{name}.mp4", "plan": [round(camera.x, 2), round(camera.y, 2)]}
        rooms[name] = [round(v, 2) for v in (room.x, room.y, room.width, room.depth)]
    document = {
        "site": f"simulated-{site.seed}",
        "cameras": cameras,
        "rooms": rooms,
        "transitions": _transitions(site),
        "overlaps": [],
        "identity": {"policy": "open_set", "target_fpir": 0.01, "retention": "12h", "capacity": 10000},
    }
    note = (
        "# A simulated site. Windows follow from the plan and from walking speeds, not from the truth.\n"
        f"# Who leaves by a street door may come back by it, {AWAY_SECONDS[0]:g} to {AWAY_SECONDS[1]:g} s later.\n"
    )
    return note + yaml.safe_dump(document, sort_keys=False, default_flow_style=None)
