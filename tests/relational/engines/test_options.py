from __future__ import annotations

import json

from benthic.relational.engines.options import Options


def test_options_survive_json_as_a_saved_engine_keeps_them():
    options = Options(num_hops=3, strict=True, seed=7)

    assert Options(**json.loads(json.dumps(vars(options)))) == options
