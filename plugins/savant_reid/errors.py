"""The errors a user can meet.

SavantReidError           itself: something of the system's is missing or refuses (GStreamer's packages and elements)
├── ConfigError           a file that the user wrote is wrong: file, key, line, expected, found
│   ├── SiteContradiction  (site) what it says of the site cannot all be true
│   └── SearchUnavailable  (identity.search) the search that was asked for is unknown or cannot run here
├── SourceError           a video or a camera cannot be read as asked
├── ModelError            a model cannot be loaded, or its input or output does not fit its entry in module.yml
├── OutputError           an output folder, file or port cannot be used
├── DataError             a data file (tracks.csv, sightings.parquet, truth) is not what its contract says
├── SearchFull            (identity.search) more rows than were reserved at the start
└── WrongDimension        (identity.search) vectors of another length than the search was made for

Those with a module in parentheses are defined there. ValueError, KeyError and the like are for callers who do what a
docstring rules out.

Broken data inside a running stream (a NaN embedding, a corrupt frame) is no error: it is refused and counted.
"""

from __future__ import annotations


class SavantReidError(Exception):
    """Base of all errors with a message meant for the user."""


class ConfigError(SavantReidError):
    """A configuration file is wrong; the message names file, line where known, key, expected and found."""


class SourceError(SavantReidError):
    """A video file or a camera cannot be read as asked."""


class ModelError(SavantReidError):
    """A model cannot be loaded or does not fit its entry in the module."""


class OutputError(SavantReidError):
    """An output folder, file or port cannot be used."""


class DataError(SavantReidError):
    """A data file does not keep its contract."""
