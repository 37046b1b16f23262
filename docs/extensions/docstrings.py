"""Turns the reStructuredText of docstrings, as PyG writes it, into Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe


class Markdown(griffe.Extension):
    """Rewrites formulas, links and roles before mkdocstrings reads a docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe once for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """The same text in Markdown; a formula becomes a block of LaTeX."""
    text = re.sub(r"^( *)\.\. math::\n((?:\1 +.*\n?|\n)+)", _formula, text, flags=re.M)
    text = re.sub(r"::\n\n(?= )", ":\n\n", text)
    text = re.sub(r"^( *)Example:\n", r"\1Examples:\n", text, flags=re.M)
    text = re.sub(r'`"([^`<]+?)"\s+<([^>]+)>`_', r"[\1](\2)", text)
    text = re.sub(r"`([^`<]+?)\s+<([^>]+)>`__?", r"[\1](\2)", text)
    text = re.sub(r":math:`([^`]+)`", r"`\1`", text)
    text = re.sub(r":\w+:`~(?:\w+\.)*(\w+)`", r"`\1`", text)
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text)


def _formula(match: re.Match[str]) -> str:
    lines = textwrap.indent(textwrap.dedent(match[2]).strip(), match[1])
    return f"{match[1]}```latex\n{lines}\n{match[1]}```\n\n"
