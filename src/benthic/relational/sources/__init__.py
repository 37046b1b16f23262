"""Where the rows come from: one file for each kind of database."""

from benthic.relational.sources.opening import open_source
from benthic.relational.sources.source import Source, reading

__all__ = ["Source", "open_source", "reading"]
