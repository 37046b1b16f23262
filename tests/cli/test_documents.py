from __future__ import annotations

import json
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "diagnosis.json"


def test_a_saved_document_is_shown_again(run, tmp_path):
    code, out, _ = run("report", GOLDEN, "--html", "page.html")
    assert code == 0
    assert out.startswith("verdict: D003 vanishing gradient\n")
    assert "\x1b" not in out
    assert "D003" in (tmp_path / "page.html").read_text()


def test_several_documents_in_one_file_are_shown_in_turn(run, tmp_path):
    document = json.loads(GOLDEN.read_text())
    Path("two.json").write_text(json.dumps({"diagnoses": [document] * 2}))
    code, out, _ = run("report", "two.json")
    assert code == 0
    assert out.count("verdict: D003") == 2
    code, out, _ = run("report", "two.json", "--json")
    assert json.loads(out) == {"diagnoses": [document] * 2}
