"""Where does the stream of states begin, so that no skip acts? The calls tell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from benthic.treatment.answers import Key
from benthic.treatment.inserted_table import Row
from benthic.treatment.passes import Pass
from benthic.treatment.placement import NO_STATES, STARTS
from benthic.treatment.treated_layer import key_of

_UNSEEN = (
    "either the stream starts there (another branch, pooled nodes), or the way from "
    "the layer before cannot be followed (rows added up or sorted, a matrix before the "
    "states, NumPy, TorchScript, torch.vmap)"
)


class Beginnings:
    """Notes of each call which layers found no states before them, and warns once.

    That the layer which runs first has none is no news, unless nothing acts at all.
    """

    def __init__(self) -> None:
        self._first: dict[str, Key] = {}

    def note(
        self, current: Pass, rows: Mapping[Key, Row], layers: nn.ModuleDict
    ) -> None:
        """Notes in the table what a call told.

        Args:
            current: The call.
            rows: The table.
            layers: What was put around them, by :func:`key_of` of their names.
        """
        news = []
        for key, why in current.no_states.items():
            if key in rows and rows[key].note_states(self._settled(key, why)):
                news.append(rows[key])
                layer: Any = layers[key_of(key[0])]  # whose weights have no gradient
                layer.joins[key_of(key[1])].ask_for_gradient(rows[key].had_states)
        acts = any(row.had_states for row in rows.values())
        lost = [row for row in news if NO_STATES in row.absent.values() or not acts]
        if lost:
            names = ", ".join(dict.fromkeys(n for row in lost for n in row.of_states))
            where = ", ".join(row.name for row in lost)
            _warn(f"{names} found no earlier states at {where} and did not act there")
        anew = [key[0] for key in current.no_states if _counts_anew(current, rows, key)]
        if anew:
            _warn(f"IdentityMap counts {', '.join(anew)} as layer 1")

    def _settled(self, key: Key, why: str) -> str:
        """A layer that begins one call may be the second of a model in parts."""
        if why == STARTS:
            self._first.setdefault(key[1], key)
        if why not in (STARTS, NO_STATES):
            return why
        return STARTS if self._first.get(key[1]) == key else NO_STATES


def _counts_anew(current: Pass, rows: Mapping[Key, Row], key: Key) -> bool:
    """Whether it is new that no layer was found before one with an identity map."""
    number = current.numbers.get(key[0], 0)
    if not number or rows[key].number == number:
        return False
    rows[key].number = number
    return number == 1 and current.no_states[key] == NO_STATES


def _warn(what: str) -> None:
    warnings.warn(f"{what}: {_UNSEEN}", stacklevel=4)
