"""report.html: one self-contained page about one run, made from nothing but the run folder's files."""

from savant_reid.report.page import write_report

__all__ = ["write_report"]
