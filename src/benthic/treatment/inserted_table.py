"""What was inserted where, and what was left out and why, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Row:
    """One layer at one node type.

    Args:
        name: The layer.
        kind: Its class.
        widths: Channels that it takes and returns.
        inserted: What acts there.
        left_out: What does not, and why.
        of_states: What of the inserted acts on earlier states.
        unsure: What acts only under a condition that a call will tell, and that.
        absent: What of the inserted did not act when the model ran, and why.
        number: Which layer it is to its identity map; 0 before a call tells.
        had_states: Whether earlier states were found in any call.
    """

    name: str
    kind: str
    widths: str
    inserted: list[str]
    left_out: list[str]
    of_states: list[str] = field(default_factory=list)
    unsure: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    number: int = 0
    had_states: bool = False

    def note_states(self, why_none: str) -> bool:
        """Notes whether a call found earlier states.

        Args:
            why_none: Why it did not; "" if it did.

        Returns:
            Whether what acts here has changed.
        """
        before = dict(self.absent)
        self.had_states |= not why_none
        for name in self.of_states:
            self.unsure.pop(name, None)
            self.absent.pop(name, None)
            if not self.had_states:
                self.absent[name] = why_none
        return self.absent != before

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        act = [
            self._numbered(name)
            if name not in self.unsure
            else f"{name}, {self.unsure[name]}"
            for name in self.inserted
            if name not in self.absent
        ]
        left_out = [*self.left_out, *(f"{n}: {why}" for n, why in self.absent.items())]
        return (
            self.name,
            self.kind,
            self.widths,
            ", ".join(act) or "-",
            "; ".join(left_out),
        )

    def _numbered(self, name: str) -> str:
        is_numbered = self.number and name == "IdentityMap"
        return f"{name}(l={self.number})" if is_numbered else name


def print_rows(rows: Iterable[Row]) -> list[str]:
    """The lines of a table.

    Args:
        rows: One for each layer.

    Example:
        >>> row = Row("conv", "GCNConv", "8 -> 8", ["Residual"], [])
        >>> print(print_rows([row])[-1])
        conv   GCNConv  8 -> 8    Residual
    """
    head = ("layer", "class", "channels", "inserted", "left out")
    cells = [head, *(row.cells for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]
