from __future__ import annotations

import numpy as np
import pytest

from benthic.errors import InputError
from benthic.relational.engines.finished import Finished, fingerprint


def test_results_outlive_the_process_but_not_other_data(tmp_path):
    Finished(tmp_path, "data").write({"a": 1}, {"value": 0.1 + 0.2})
    assert Finished(tmp_path, "data").read({"a": 1}) == {"value": 0.1 + 0.2}
    assert Finished(tmp_path, "other").read({"a": 1}) is None
    assert Finished(tmp_path, "data").read({"a": 2}) is None


def test_a_damaged_file_counts_as_absent(tmp_path):
    Finished(tmp_path, "data").write({"a": 1}, {"value": 1})
    (path,) = tmp_path.glob("*.json")
    path.write_text(path.read_text()[:-3])
    assert Finished(tmp_path, "data").read({"a": 1}) is None


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="fit_dir"):
        Finished(tmp_path / "file", "data")


def test_any_other_number_or_shape_is_another_fingerprint():
    x = np.array([[1.0, np.nan], [3.0, 4.0]])
    changed = np.where(x == 3, 3 + 1e-15, x)
    others = [x.T, x.ravel(), x.astype(np.float32), changed, -x]
    assert fingerprint(x, x) == fingerprint(x.copy(), x)
    assert fingerprint(x) == fingerprint(np.asfortranarray(x))
    assert len({fingerprint(one) for one in [x, *others]}) == 6
