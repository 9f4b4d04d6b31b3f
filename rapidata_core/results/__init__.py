"""Answers as tables. Pure, except for the writers in :mod:`rapidata_core.results.export`."""

from rapidata_core.results.parse import RapidataResults, parse_results

__all__ = ["RapidataResults", "parse_results"]
