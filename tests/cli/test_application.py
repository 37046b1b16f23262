from __future__ import annotations

from benthic.cli.application import app


def test_an_application_without_commands_of_torch_names_itself():
    assert app.info.name == "benthic"
    assert app.info.epilog == "Start with: benthic demo"
