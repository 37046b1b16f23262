"""A diagnosis or sweep as a page, Markdown, text or JSON, from its document."""

from benthic.report.depth_table import is_sweep
from benthic.report.rendering import (
    from_json,
    to_html,
    to_json,
    to_markdown,
    to_text,
)

__all__ = ["from_json", "is_sweep", "to_html", "to_json", "to_markdown", "to_text"]
