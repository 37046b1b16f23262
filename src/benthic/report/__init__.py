"""A diagnosis as a page, Markdown, text or JSON, from its plain document."""

from benthic.report.rendering import (
    from_json,
    to_html,
    to_json,
    to_markdown,
    to_text,
)

__all__ = ["from_json", "to_html", "to_json", "to_markdown", "to_text"]
