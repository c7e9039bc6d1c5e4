"""The site file that a run leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from savant_reid.redaction import keep_no_secret
from savant_reid.site import Site, site_document


def site_copy(site: Site, source: Path, target: Path) -> bytes:
    """A site file for the folder `target`, of a site read in `source`: relative files are still found.

    A run folder is handed round: passwords of cameras stay at home.
    """
    moved = moved_site(site, source, target)
    cameras = {
        name: camera.model_copy(update={"source": camera.source and keep_no_secret(camera.source)})
        for name, camera in moved.cameras.items()
    }
    return site_document(moved.model_copy(update={"cameras": cameras})).encode()


def moved_site(site: Site, source: Path, target: Path) -> Site:
    """The site for a site file in the folder `target`, when that of `source` was read: relative files are still found.

    They stay relative where they lie below `target`, so that this folder can be moved as a whole.
    """

    def moved(file: str) -> str:
        there = (source / file).resolve()
        return str(there.relative_to(target.resolve()) if there.is_relative_to(target.resolve()) else there)

    cameras = {}
    for name, camera in site.cameras.items():
        if camera.source and "://" not in camera.source and not Path(camera.source).is_absolute():
            camera = camera.model_copy(update={"source": moved(camera.source)})
        cameras[name] = camera
    identity, watchlist = site.identity, site.identity.watchlist
    enrolled = identity.enrolled and moved(identity.enrolled)
    watchlist = watchlist and watchlist.model_copy(update={"enrolled": moved(watchlist.enrolled)})
    calibration = identity.calibration and moved(identity.calibration)
    identity = identity.model_copy(update={"enrolled": enrolled, "watchlist": watchlist, "calibration": calibration})
    return site.model_copy(update={"cameras": cameras, "identity": identity}).in_folder(target)
