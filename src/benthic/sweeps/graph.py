"""A graph of a sweep, as each of its jobs asks for it."""

from __future__ import annotations

import copy

from torch_geometric.data import Data

from benthic.sweeps.cells import Job
from benthic.treatment.rewiring import rewired
from benthic.treatment.spelling import REWIRING, read


class Graph:
    """A graph that is rewired once for all jobs that ask for the same.

    A rewiring may take longer than a training, and is the same at every depth.

    Args:
        data: The graph as it was loaded; stays as it is.

    Example:
        >>> from torch_geometric.data import Data
        >>> from benthic.sweeps.cells import Settings
        >>> graph = Graph(Data(x=torch.ones(2, 1), edge_index=torch.empty(2, 0).long()))
        >>> job = Job("two", "gcn", "virtual_node", 2, (0,), Settings(scale=10.0))
        >>> graph.prepared(job).x.flatten()
        tensor([10., 10.,  0.])
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self._rewired: dict[tuple[str, ...], Data] = {}

    def prepared(self, job: Job) -> Data:
        """The graph with the job's rewirings, its features scaled.

        Args:
            job: The job.

        Raises:
            InputError: If the graph cannot be rewired so.
        """
        parts = read([job.treatment])[0]
        key = tuple(str(part) for part in parts if part.place == REWIRING)
        if key not in self._rewired:
            self._rewired[key] = rewired("+".join(key) or "none", self._data)
        data = copy.copy(self._rewired[key])
        if job.settings.scale != 1:
            data.x = data.x * job.settings.scale
        return data
