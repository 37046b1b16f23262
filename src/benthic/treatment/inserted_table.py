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
        unsure: What acts only if the layer's output is mapped further.
        absent: What of the inserted did not act when the model ran, and why.
    """

    name: str
    kind: str
    widths: str
    inserted: list[str]
    left_out: list[str]
    of_states: list[str] = field(default_factory=list)
    unsure: str = ""
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        act = [
            f"{name}, if a map follows" if name == self.unsure else name
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
