"""site.yml: the user's cameras, what is known of the ways between them, and the policy; unknown keys are errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from savant_reid.errors import ConfigError
from savant_reid.identity.policy import Policy
from savant_reid.identity.search import SearchName
from savant_reid.identity.topology import Topology, Window
from savant_reid.redaction import redact_all
from savant_reid.site_checks import Location, Problem, keys_given_twice, missing_files, site_problems

# An identity keeps 8 prototypes, usually of 512 float32 values, as seen and without the camera's mean: 32 KiB. So many
# take 33 GB, the most that one site's process should hold.
MOST_IDENTITIES = 1_000_000
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _no_truth_value(value: Any) -> Any:
    """YAML reads yes, no, on and off as true and false, and Python takes these for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, found {value}")
    return value


def _seconds(value: Any) -> Any:
    """'90', '90s', '15m', '12h', '2d' or a number of seconds."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)
        if not match:
            raise ValueError(f"expected a duration like 90s, 15m, 12h or 2d, found {value!r}")
        return float(match[1]) * _UNITS[match[2] or "s"]
    return value


_Number = BeforeValidator(_no_truth_value)
Real = Annotated[float, _Number]
Seconds = Annotated[float, BeforeValidator(_seconds), _Number, Field(gt=0)]


class SiteContradiction(ConfigError):
    """A site contradicts itself. No ValueError, which pydantic would catch: it would lose where the problems are."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{_key(location)}: {text}" for location, text in problems))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Camera(_Strict):
    """source: a file (relative to site.yml) or rtsp:// address. plan: [x, y] on the floor plan, metres."""

    source: str | None = None
    plan: tuple[Real, Real] | None = None


class Transition(_Strict):
    """Who can walk where, in how many seconds."""

    from_: str = Field(alias="from")
    to: str
    seconds: tuple[Real, Real]
    both_ways: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Transition:
        earliest, latest = self.seconds
        if not 0 <= earliest < latest:
            raise ValueError(f"expected seconds: [earliest, latest] with 0 <= earliest < latest, found {self.seconds}")
        return self


class Watchlist(_Strict):
    """People to look out for within an open set. enrolled: their enrolment file, relative to site.yml.

    target_fpir: asked probability that somebody who is not on the list is confirmed as somebody who is.
    """

    enrolled: str = Field(min_length=1)
    target_fpir: Real = Field(default=0.001, gt=0, lt=1)


class Identity(_Strict):
    """How identities are decided and kept; see identity.policy.

    enrolled: the people of a closed set, an enrolment file (relative to site.yml). similarity_threshold: for who wants
    one: no match below it. search: what the gallery is searched with, see identity.search.choice.
    """

    policy: Literal["open_set", "closed_set"] = "open_set"
    target_fpir: Real = Field(default=0.01, gt=0, lt=1)
    retention: Seconds = 12 * 3600.0
    capacity: Annotated[int, _Number] = Field(default=100_000, ge=1, le=MOST_IDENTITIES)
    enrolled: str | None = Field(default=None, min_length=1)
    watchlist: Watchlist | None = None
    similarity_threshold: Real | None = Field(default=None, ge=-1, le=1)
    search: SearchName = "auto"
    calibration: str | None = Field(default=None, min_length=1)  # what `savant-reid calibrate` wrote; relative too


class Site(_Strict):
    """A whole site.yml. rooms: name to [x, y, width, depth] in metres, for drawing only."""

    site: str = Field(min_length=1)
    cameras: dict[str, Camera] = Field(min_length=1)
    rooms: dict[str, tuple[Real, Real, Real, Real]] = {}
    transitions: list[Transition] = []
    overlaps: list[tuple[str, str]] = []
    identity: Identity = Identity()
    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def enrolled_path(self) -> Path | None:
        """The enrolment file of a closed set."""
        return None if self.identity.enrolled is None else self._folder / self.identity.enrolled

    @property
    def watchlist_path(self) -> Path | None:
        """The enrolment file of the watchlist."""
        return None if self.identity.watchlist is None else self._folder / self.identity.watchlist.enrolled

    @property
    def calibration_path(self) -> Path | None:
        """What the engine starts from."""
        return None if self.identity.calibration is None else self._folder / self.identity.calibration

    @property
    def watchlist(self) -> Watchlist | None:
        return self.identity.watchlist

    def in_folder(self, folder: Path) -> Site:
        """The same site, read from a file in `folder`: where its relative paths start."""
        site = self.model_copy()
        site._folder = folder
        return site

    @model_validator(mode="after")
    def _consistent(self) -> Site:
        problems = list(site_problems(self))
        if problems:
            raise SiteContradiction(problems)
        return self

    def topology(self) -> Topology:
        """The declared prior of who can walk where."""
        windows = {pair: Window(*seconds) for pair, seconds in self.windows().items()}
        return Topology(list(self.cameras), windows, self.overlaps)

    def windows(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Seconds that a walk takes, (earliest, latest), by the cameras that it leads from and to."""
        found = {}
        for transition in self.transitions:
            found[transition.from_, transition.to] = transition.seconds
            if transition.both_ways:
                found[transition.to, transition.from_] = transition.seconds
        return found

    def policy(self) -> Policy:
        """The identity section in the core's own words; who is enrolled is in a file (site_people.load_enrolment)."""
        asked = self.identity
        return Policy(asked.target_fpir, asked.retention, asked.capacity, asked.similarity_threshold)


def load_site(path: Path) -> Site:
    """Read and check site.yml; raises ConfigError naming file, line, key, expected and found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a site file that can be read, found: {error}") from error
    try:
        data, root = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML, found: {_yaml_problem(error)}") from None
    doubled = [f"{path}:{n}: {_key(k)}: given twice, first in line {first}" for k, n, first in keys_given_twice(root)]
    if doubled:
        raise ConfigError("\n".join(doubled))
    if not isinstance(data, dict):
        found = "an empty file" if data is None else type(data).__name__
        raise ConfigError(f"{path}: expected a mapping with the keys site and cameras, found {found}")
    cameras = data.get("cameras")
    if isinstance(cameras, dict):
        data["cameras"] = {name: {} if camera is None else camera for name, camera in cameras.items()}
    try:
        site = Site.model_validate(data).in_folder(path.parent)
        missing = list(missing_files(site))
        if missing:
            raise SiteContradiction(missing)
        return site
    except SiteContradiction as error:
        lines = [f"{path}:{_line_of(root, place)}: {_key(place)}: {text}" for place, text in error.problems]
        raise ConfigError("\n".join(lines)) from None
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, root, problem) for problem in error.errors())) from None


def site_document(site: Site) -> str:
    """The text of a site file that loads as the same site."""
    data = site.model_dump(mode="json", by_alias=True, exclude_none=True)
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def site_of_cameras(cameras: list[str]) -> Site:
    """The least site: names and nothing else, at least one. Raises ConfigError for a name that cannot be used."""
    return Site(site="unnamed", cameras={name: Camera() for name in cameras})


def _explain(path: Path, root: yaml.Node | None, problem: Any) -> str:
    """One line per problem: file:line: key: what was expected, what was found."""
    location = [part for part in problem["loc"] if part != "function-before"]
    key = _key(tuple(location))
    line = _line_of(root, location)
    if problem["type"] == "extra_forbidden":
        return f"{path}:{line}: {key}: unknown key"
    found = "" if problem["type"] in ("missing", "value_error") else f", found {redact_all(repr(problem['input']))}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {f'{key}: ' if key else ''}{message}{found}"


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Without the piece of the file that YAML would show: there may be a password in it."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"{problem or 'something else'}{f' (line {mark.line + 1})' if mark else ''}"


def _key(location: Location) -> str:
    return ".".join(str(part) for part in location)


def _line_of(node: yaml.Node | None, location: Sequence[str | int]) -> int:
    """The line (from 1) of the deepest part of `location` that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
            if not pairs:
                return line
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
