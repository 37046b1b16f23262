"""Material whose features are cut into bins once for all settings that read them."""

from __future__ import annotations

from collections import OrderedDict

from benthic.relational.engines.boosting import Binned
from benthic.relational.engines.material import Material, Setting

_KEPT = 3


class BinnedMaterial:
    """Bins of each history and choice of features, made once and reweighed after.

    A byte a cell is kept for each of the last three; what a setting gets is the same
    as if it were cut anew.

    Args:
        material: What is learned from.
    """

    def __init__(self, material: Material) -> None:
        self.material = material
        self._kept: OrderedDict[tuple[str, int], Binned] = OrderedDict()

    def __call__(self, setting: Setting) -> Binned:
        """The rows of a setting and, if there are any, those of validation.

        To be used before the next call, which may give the same bins other weights.

        Args:
            setting: Which rows, features and weights.
        """
        key = setting.history, setting.num_features
        if key not in self._kept:
            judged = len(self.material.y_validation) > 0
            self._kept[key] = Binned(
                self.material.rows(setting),
                self.material.validation(setting) if judged else None,
            )
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        found = self._kept[key]
        found.weigh(self.material.weights(setting))
        return found
