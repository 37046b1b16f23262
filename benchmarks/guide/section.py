"""One claim on the page: what is said, what was measured, what it means."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOLDS = "holds"
CONDITIONS = "holds with conditions"
FAILS = "does not hold"

WIDTH = 118
PUBLISHED = Path(__file__).parent / "published.json"


@dataclass(frozen=True)
class Section:
    """One claim.

    Args:
        name: Its number, or the letter of its listing.
        title: The claim in a few words.
        says: What the guide says, in our words.
        verdict: One of the three above.
        short: The figure that decides, for the table at the top.
        measured: What we measured, as Markdown.
        means: What follows for the reader.
        script: The module that measured it; empty where nothing could be.
        published: Figures of others, with their source.
    """

    name: str
    title: str
    says: str
    verdict: str
    short: str
    measured: str
    means: str
    script: str = ""
    published: str = ""

    @property
    def anchor(self) -> str:
        """Where a link finds it."""
        kind = "claim" if self.name.isdigit() else "listing"
        return f"{kind}-{self.name.lower()}"

    def to_markdown(self) -> str:
        """The section as it stands on the page."""
        parts = [
            f'<a id="{self.anchor}"></a>',
            f"## {self.name}: {self.title}",
            f"**The guide says:** {self.says}",
            f"**Verdict: {self.verdict}.** {self.short}",
            f"**Measured.** {self.measured}",
        ]
        if self.published:
            parts.append(f"**Published.** {self.published}")
        parts.append(f"**For you.** {self.means}")
        if self.script:
            parts.append(f"```console\npython -m benchmarks.guide {self.script}\n```")
        return "\n\n".join(wrap(part) for part in parts)


def wrap(text: str) -> str:
    """Breaks the lines of paragraphs; tables, lists and code stay as they are."""
    blocks = re.split(r"\n\n", text)
    return "\n\n".join(_wrap_block(block) for block in blocks)


def _wrap_block(block: str) -> str:
    if block.startswith(("|", "```", "<", "#", "- ", "!")) or "```" in block:
        return block
    return textwrap.fill(block, WIDTH, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def published(key: str) -> dict[str, Any]:
    """Figures of others and where they were read.

    Args:
        key: Entry of ``published.json``.
    """
    entries: dict[str, dict[str, Any]] = json.loads(PUBLISHED.read_text("utf-8"))
    return entries[key]


def require(fits: bool, words: str) -> None:
    """Stops the page when a measured figure no longer supports its words.

    Args:
        fits: Whether it does.
        words: The words.
    """
    if not fits:
        raise ValueError(f"the figures changed: read and rewrite {words!r}")
