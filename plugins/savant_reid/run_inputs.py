"""What a run is given: which site, which cameras from where, and what of it must not be overwritten."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.module_config import Module
from savant_reid.hosts.local.sources import file_path, is_live
from savant_reid.sinks.run_folder import SITE, TRUTH, Copy
from savant_reid.site import Site, load_site, site_of_cameras
from savant_reid.site_copy import site_copy

log = logging.getLogger(__name__)

NO_CAMERA = "expected --source CAMERA=URI or a site file with sources, found neither"
SITE_KEY = "parameters.site"
# The variable by which module.yml lets the environment name its site.
SITE_VARIABLE = "SAVANT_REID_SITE"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ChosenSite:
    """file: where it was read, None where nothing but the cameras' names is known."""

    site: Site
    file: Path | None

    def pairs(self, given: Pairs) -> list[tuple[str, str]]:
        """Cameras and their addresses: the command line's, else the site file's."""
        if given:
            return list(given)
        if not any(camera.source for camera in self.site.cameras.values()):
            raise ConfigError(f"{NO_CAMERA} ({self.file} names no source)")
        pairs = []
        for name, camera in self.site.cameras.items():
            if camera.source is None:
                raise ConfigError(
                    f"{self.file}: cameras.{name}: expected a source here or --source {name}=URI, found none"
                )
            folder = self.file.parent if self.file else Path()
            pairs.append((name, camera.source if "://" in camera.source else str(folder / camera.source)))
        return pairs

    def copies(self, out: Path, truth: Path | None) -> list[Copy]:
        """What the run folder repeats of its inputs."""
        folder = self.file.parent if self.file else Path()
        text = site_copy(self.site, folder, out)
        copies = [Copy(SITE, lambda: text, self.file)]
        return copies if truth is None else [*copies, Copy(TRUTH, truth.read_bytes, truth)]

    def files(self, pairs: Pairs, truth: Path | None) -> list[Path]:
        """All files that the run reads, models and module aside."""
        videos = [file_path(camera, uri) for camera, uri in pairs if not is_live(uri)]
        return [*videos, *(path for path in (self.file, truth) if path is not None)]


def choose_site(module: Module, overrides: Mapping[str, str], given: Path | None, cameras: Sequence[str]) -> ChosenSite:
    """The site of a run of `cameras` (none: all of the site's).

    A site file that somebody has named (given: by --site; else by an override or the environment) must be there and
    know the cameras. The module's own default need not: then the names are all that is known, with a warning.
    """
    own = (module.parameters.model_extra or {}).get("site")
    file = given or (module.path.parent / str(own) if own else None)
    named = given is not None or SITE_KEY in overrides or (bool(own) and own == os.environ.get(SITE_VARIABLE))
    if file is None or not (named or file.exists()):
        return _names_alone(f"{file} does not exist" if file else "the module names no site file", cameras)
    site = load_site(file)
    unknown = [camera for camera in cameras if camera not in site.cameras]
    if not unknown:
        return ChosenSite(site, file)
    if not named:
        return _names_alone(f"{file} does not know {', '.join(unknown)}", cameras)
    known = ", ".join(site.cameras)
    raise ConfigError(f"{file}: cameras: expected {', '.join(unknown)} of the command line among them, found {known}")


def _names_alone(why: str, cameras: Sequence[str]) -> ChosenSite:
    if not cameras:
        raise ConfigError(NO_CAMERA)
    if len(cameras) > 1:
        log.warning(
            "%s: nothing is known of the ways between the cameras, so any walk in any time is taken for possible; "
            "write a site file with cameras and transitions and name it with --site",
            why,
        )
    return ChosenSite(site_of_cameras(list(cameras)), None)
