"""One person, one identity, on every camera."""

__version__ = "0.1.0"
