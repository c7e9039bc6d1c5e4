"""Who is enrolled at a site: the file that site.yml names, in the core's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from savant_reid.errors import ConfigError
from savant_reid.identity.enrolment import ELSEWHERE, EnrolledPerson, Enrolment
from savant_reid.site import Site

if TYPE_CHECKING:
    from savant_reid.gallery.enrolment import Enrolled


def load_enrolment(site: Site, embedding_model: str | None = None) -> Enrolment | None:
    """The people of a closed set or of a watchlist; None where the site has neither.

    embedding_model: of the embeddings that will be compared with them, None where it is not known. A file of another
    one is refused. Raises ConfigError, DataError.
    """
    path = site.enrolled_path or site.watchlist_path
    if path is None:
        return None
    # Only here: a site without such a file needs no pyarrow.
    from savant_reid.gallery.enrolment import load_enrolled

    found = load_enrolled(path)
    if embedding_model is not None and found.model != embedding_model:
        raise ConfigError(
            f"{path}: expected people enrolled with the model {embedding_model}, found {found.model or 'none named'}: "
            "the embeddings of two models have nothing to do with each other"
        )
    if not found.people:
        raise ConfigError(f"{path}: expected at least one person, found none")
    if len(found.people) > site.identity.capacity:
        capacity = site.identity.capacity
        raise ConfigError(f"{path}: expected at most identity.capacity ({capacity}) people, found {len(found.people)}")
    target_fpir = site.watchlist.target_fpir if site.watchlist else site.identity.target_fpir
    return Enrolment(_people(found, site), target_fpir, closed=site.watchlist is None)


def _people(found: Enrolled, site: Site) -> tuple[EnrolledPerson, ...]:
    """Each with the ID that the file gives, if nobody before has it, else with the lowest that is free."""
    index = {name: i for i, name in enumerate(site.cameras)}
    given = {person.global_id for person in found.people if person.global_id is not None}
    taken: set[int] = set()
    people = []
    free = 1
    for person in found.people:
        global_id = person.global_id
        if global_id is None or global_id < 1 or global_id in taken:
            while free in given or free in taken:
                free += 1
            global_id = free
        taken.add(global_id)
        cameras = tuple(ELSEWHERE if camera is None else index.get(camera, ELSEWHERE) for camera in person.cameras)
        people.append(EnrolledPerson(global_id, person.name, person.embeddings, cameras))
    return tuple(people)
