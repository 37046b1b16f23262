"""Keys, links, times and meanings that a database does not declare."""

from __future__ import annotations

from benthic.relational.inference.assembly import infer_schema

__all__ = ["infer_schema"]
