"""Which norms do not act, because their layer gives the model's answer?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from torch import nn

from benthic.treatment.answers import Key, may_take, try_out, weights_of
from benthic.treatment.arguments import Inputs, unnamed_graphs
from benthic.treatment.inserted_table import Row
from benthic.treatment.join import Join
from benthic.treatment.passes import Call, Pass, Running
from benthic.treatment.placement import ANSWER, Site


class Endings:
    """Finds by a trial for each kind of call whose output nothing takes further.

    Args:
        sites: The layers.
        joins: What was put around them.
        maps: The modules outside the layers that own a matrix.
        norm: What the norm is called in the table.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        joins: Mapping[Key, Join],
        maps: Sequence[nn.Module],
        norm: str,
    ) -> None:
        keys = {(site.layer.name, site.node_type): site for site in sites}
        self._all = frozenset(keys)
        self._norms = {key: join.norm for key, join in joins.items() if join.norm}
        self._mixes = any(_mixes_rows(join) for join in joins.values())
        self._last = {key for key, site in keys.items() if site.is_unsure}
        self._takable = {
            key
            for key, site in keys.items()
            if any(may_take(module, site.widths.returned) for module in maps)
        }
        self._maps = maps
        self._norm = norm
        self._normed: set[Key] = set()

    def answers(
        self, call: Call, inputs: Inputs, running: Running, rows: Mapping[Key, Row]
    ) -> frozenset[Key]:
        """The layers that give the answer of a call, found by its first trial.

        Args:
            call: What is called; it remembers the answers of each kind of inputs.
            inputs: What it is called with.
            running: Knows the pass that runs.
            rows: The table, where it is noted.
        """
        kind = inputs.kind
        if kind not in call.answers:
            weights = weights_of(self._maps)
            trial = Pass(call.owner, inputs, follows=True, weights=weights)
            out = try_out(call.__wrapped__, inputs, running, trial)
            if out is None:
                return frozenset()
            self._warn_of_graphs(call.owner, inputs)
            assert trial.stream is not None
            loose = trial.ran.keys() - trial.stream.mapped
            ends = trial.last | trial.stream.sources(out)
            found = loose & (ends if call.is_forward else self._untakable(trial))
            call.answers[kind] = frozenset(found)
            self._note(found, trial.stream.mapped, rows)
        return call.answers[kind]

    def _warn_of_graphs(self, owner: nn.Module, inputs: Inputs) -> None:
        name = unnamed_graphs(owner, inputs) if self._mixes else ""
        if name:
            warnings.warn(
                f"{self._norm} takes the nodes of all graphs together: it is told of "
                f"graphs by an input 'batch'; if {name!r} numbers them, call it so",
                stacklevel=2,
            )

    def _untakable(self, trial: Pass) -> set[Key]:
        """Who calls encode() may hand its output to another method."""
        ends = self._all if trial.ran.keys() >= self._all else self._last
        return set(ends - self._takable)

    def _note(self, found: set[Key], taken: set[Key], rows: Mapping[Key, Row]) -> None:
        self._normed |= taken
        for key in (found | taken) & self._norms.keys():
            row, norm = rows[key], self._norms[key]
            row.unsure.pop(self._norm, None)
            if key not in self._normed:
                row.absent[self._norm] = ANSWER
                norm.requires_grad_(False)  # it will have no gradient
            elif row.absent.pop(self._norm, ""):
                norm.requires_grad_(True)


def _mixes_rows(join: Join) -> bool:
    """Whether a norm looks at the rows of a graph; PyG's of single rows say so."""
    return join.takes_batch and getattr(join.norm, "mode", "graph") != "node"
