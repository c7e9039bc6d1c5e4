"""Whether the versions found together here are ones that understand each other."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

TESTED_SAVANT = "0.5"


def version_warnings() -> list[str]:
    """What the user should change about versions; usually nothing."""
    from savant.utils.version import version as built

    try:
        found = version("savant_rs")
    except PackageNotFoundError:  # the container's own build may carry no metadata
        found = None
    return warnings_of(str(built.SAVANT), str(built.SAVANT_RS), found)


def warnings_of(savant: str, savant_rs_wanted: str, savant_rs_found: str | None) -> list[str]:
    """savant: of the container. savant_rs_wanted: what it was built with. savant_rs_found: what is installed."""
    warnings = []
    if savant.split(".")[:2] != TESTED_SAVANT.split("."):
        warnings.append(f"Savant: expected {TESTED_SAVANT}.x, which this module is written for, found {savant}")
    if savant_rs_found is not None and savant_rs_found != savant_rs_wanted:
        warnings.append(
            f"savant-rs: expected {savant_rs_wanted}, which Savant {savant} was built with, found {savant_rs_found}: "
            "adapters and clients with another protocol version cannot read this module's messages, nor it theirs; use "
            "images and wheels of one Savant release on both ends"
        )
    return warnings
