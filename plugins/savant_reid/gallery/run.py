"""A run folder as the gallery's owner sees it: its people, what became of them, and what they look like."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import yaml

from savant_reid.errors import DataError
from savant_reid.gallery.gathering import read_looks
from savant_reid.gallery.history import History, read_history
from savant_reid.gallery.looks import Looks
from savant_reid.gallery.people import Person, people_of
from savant_reid.gallery.stretches import Stretch, read_stretches
from savant_reid.sinks.run_folder import IDENTITIES, METRICS, SIGHTINGS, SITE, TRACKS, no_folder

log = logging.getLogger(__name__)

Pair = frozenset[str]


@dataclass(frozen=True)
class Run:
    """overlaps: pairs of cameras that see the same floor; None where the folder does not say."""

    folder: Path
    site: str
    stretches: list[Stretch]
    people: dict[int, Person]
    history: History
    overlaps: frozenset[Pair] | None

    @cached_property
    def looks(self) -> Looks:
        """Read when first asked for. Raises DataError where sightings.parquet cannot be read."""
        visits = [visit for person in self.people.values() for visit in person.visits]
        return read_looks(self.folder / SIGHTINGS, visits)

    def person(self, global_id: int) -> Person:
        """Who `global_id` is now; an id that was merged resolves. Raises DataError for an id that is nobody's."""
        present = self.history.present(global_id)
        person = self.people.get(present)
        if person is not None:
            return person
        if self.history.known(present):
            raise DataError(
                f"{self.folder}: {present}: {self.history.state(present)}, and no row of tracks.csv is left"
            )
        known = ", ".join(map(str, list(self.people)[:20])) + (" …" if len(self.people) > 20 else "")
        raise DataError(
            f"{self.folder}: expected the ID of somebody of this run ({known or 'it has none'}), found {global_id}"
        )


def open_run(folder: Path) -> Run:
    """Raises DataError where `folder` is no run folder or has no tracks; a run that was killed is read as far as it
    got, with a warning."""
    if message := no_folder(folder):
        raise DataError(message)
    if not (folder / TRACKS).is_file():
        raise DataError(f"{folder}: expected a run folder with {TRACKS}, found none in it")
    if not (folder / METRICS).is_file():
        log.warning("%s: the run did not come to its end (no %s); this is what it had written", folder, METRICS)
    history = read_history(folder / IDENTITIES)
    # A killed run, or a decision by hand that was cut short, may have left ids of before a merge.
    stretches = [
        replace(stretch, global_id=history.present(stretch.global_id)) for stretch in read_stretches(folder / TRACKS)
    ]
    site, overlaps = _site(folder / SITE)
    return Run(folder, site, stretches, people_of(stretches), history, overlaps)


def _site(path: Path) -> tuple[str, frozenset[Pair] | None]:
    """Name and overlaps, as far as the copy of site.yml tells; it was checked when the run began."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        pairs = data.get("overlaps") or []
        return str(data.get("site") or "unnamed"), frozenset(frozenset(map(str, pair)) for pair in pairs)
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return "unnamed", None
