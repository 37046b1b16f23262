"""The last result serves only the question it answered."""

from __future__ import annotations

import numpy as np

from benthic.relational.features.latest import Latest


def test_a_result_is_computed_again_once_any_array_differs():
    made = []
    latest: Latest[int] = Latest()

    def ask(*arrays):
        return latest(
            [np.array(a) for a in arrays], lambda: made.append(1) or len(made)
        )

    assert [ask([1.0, np.nan], [2]), ask([1.0, np.nan], [2])] == [1, 1]
    assert ask([1.0, np.nan], [3]) == 2
    assert ask([1.0, np.nan]) == 3
    assert ask([1.0, np.nan, 0.0]) == 4
