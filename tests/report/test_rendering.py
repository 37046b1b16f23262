from __future__ import annotations

import copy
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benthic.errors import InputError
from benthic.report import from_json, to_html, to_json, to_markdown, to_text

GOLDEN = Path(__file__).parents[1] / "golden"
HOSTILE = "<script>alert('x')</script>\"|`\x1b[31m\n<img src=x onerror=y>"


@pytest.fixture
def document():
    return json.loads((GOLDEN / "diagnosis.json").read_text())


def deep(document, num_layers=64):
    document = copy.deepcopy(document)
    for rows in (
        document["layers"],
        document["controls"]["fresh"],
        document["controls"]["graph_off"],
    ):
        first = list(rows)
        rows[:] = [
            {**first[i % len(first)], "name": f"convs.{i}"} for i in range(num_layers)
        ]
    return document


def golden(name, text):
    """Compares with tests/golden; BENTHIC_OVERWRITE_GOLDEN=1 refreshes."""
    path = GOLDEN / name
    if os.environ.get("BENTHIC_OVERWRITE_GOLDEN") == "1":
        path.write_text(text + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text + "\n"


def test_the_text_of_a_diagnosis(document):
    golden("test_the_text_of_a_diagnosis.txt", to_text(document))


def test_the_text_of_64_layers_is_abbreviated(document):
    text = to_text(deep(document))
    golden("test_the_text_of_64_layers_is_abbreviated.txt", text)
    assert "… " in text
    assert "convs.63" in text


def test_the_markdown_of_a_diagnosis(document):
    golden("test_the_markdown_of_a_diagnosis.md", to_markdown(document))


def test_the_text_starts_with_the_verdict_and_fits_a_terminal(document):
    lines = to_text(document).splitlines()
    assert lines[0] == "verdict: D003 vanishing gradient"
    table = [line for line in lines if line.startswith(("name", "convs."))]
    assert max(map(len, table)) <= 100


def test_an_undefined_value_is_a_dash_with_its_reason_and_never_a_zero(document):
    text = to_text(document)
    row = next(line for line in text.splitlines() if line.startswith("convs.4 "))
    assert row.split()[1] == "–"
    assert "undefined: mean_cosine, rayleigh_quotient of convs.4" in text
    assert "every row is zero" in to_html([document])


def test_a_healthy_document_of_the_least_size_renders_everywhere():
    document = {"verdict": "healthy", "summary": "All is well."}
    assert to_text(document) == "verdict: healthy\nAll is well."
    assert "healthy" in to_markdown(document)
    assert "healthy" in to_html([document])


def test_json_is_strict_and_a_lost_number_has_a_reason(document):
    document["layers"][0]["norm"] = float("inf")
    document["seconds"] = float("nan")
    text = to_json(document)
    assert "NaN" not in text
    assert "Infinity" not in text
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["layers"][0]["norm"] is None
    assert read["layers"][0]["undefined"]["norm"] == "not a finite number"


def test_json_round_trips(document):
    assert from_json(to_json(document)) == [document]
    assert from_json(to_json({"diagnoses": [document, document]})) == [document] * 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "a JSON list"),
        ("3", "a JSON int"),
        ("{}", "without a verdict"),
        ('{"diagnoses": []}', "no diagnosis"),
        ('{"diagnoses": [3]}', "a JSON int"),
        ('{"verdict": "healthy", "layers": 3}', "layers, which is no list"),
        ('{"verdict": "healthy", "layers": [3]}', "a row of layers, which is no dict"),
        ('{"verdict": "healthy", "metrics": [3]}', "metrics, which is no dict"),
        ('{"verdict": "healthy", "controls": {"fresh": 3}}', "fresh, which is no list"),
        ('{"verdict": "D1", "findings": [{"evidence": 3}]}', "evidence in findings"),
        ('{"verdict": "D1", "findings": [{"advice": "a"}]}', "advice in findings"),
        ('{"verdict": "D1", "layers": [{"undefined": "a"}]}', "undefined in layers"),
    ],
)
def test_what_is_no_diagnosis_is_refused_in_one_line(text, found):
    with pytest.raises(InputError, match=found) as raised:
        from_json(text)
    assert "\n" not in str(raised.value)


def test_a_saved_document_with_odd_values_still_renders():
    document = {
        "verdict": "D001",
        "layers": [{"name": 3, "norm": "x", "node_type": [1], "undefined": None}],
        "findings": [{"code": None, "confidence": "high", "evidence": {"a": {}}}],
        "influence": [{"hop": "far"}],
        "controls": {"weights_off": [{}], "chance": "x", "fresh": None},
        "limits": {"relu_floor": []},
        "metrics": {"val": "none"},
    }
    document["layers"][0]["node_type"] = "t"
    (read,) = from_json(to_json(document))
    for rendered in (to_text(read), to_markdown(read), to_html([read])):
        assert "D001" in rendered


class Page(HTMLParser):
    """Checks nesting, and notes what a browser would load or run."""

    VOID = ("meta", "br", "link", "img", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = dict(attrs)
        self.loads += [names[key] for key in ("src", "srcset", "data") if key in names]
        self.loads += [names["href"]] if tag in ("link", "image") else []
        assert not any(name.startswith("on") for name in names)
        self.ids += [names["id"]] if "id" in names else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(document):
    text = to_html([document, document], title="Two")
    page = Page(text)
    assert page.loads == []
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"@import|url\((?!#)", text)
    assert "http" not in text


def test_two_networks_of_64_layers_stay_under_300_kb(document):
    page = to_html([deep(document), deep(document)])
    assert len(page.encode()) < 300_000


def test_hostile_names_are_shown_and_never_obeyed(document):
    document["model"] = document["data"] = document["summary"] = HOSTILE
    document["findings"][0] |= {
        "cause": HOSTILE,
        "advice": [HOSTILE],
        "evidence": {HOSTILE: HOSTILE},
        "docs": "javascript:alert(1)",
    }
    document["checks"][0]["outcome"] = '" onclick="x'
    document["metrics"] = {HOSTILE: 1.0}
    for layer in document["layers"]:
        layer |= {"name": HOSTILE, "node_type": HOSTILE, "mean_cosine": None}
        layer["undefined"] = {"mean_cosine": HOSTILE}
    text = to_html([document], title=HOSTILE)
    page = Page(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert 'href="javascript' not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in to_text(document)
    assert "\n<img" not in to_text(document)
    assert "<img" not in to_markdown(document).replace("\\<img", "")


def test_two_pages_in_one_notebook_do_not_share_ids(document):
    other = {**document, "model": "another"}
    first, second = Page(to_html([document])).ids, Page(to_html([other])).ids
    assert {*first} & {*second} == {"diagnosis-1"}


def test_every_check_outcome_and_reason_is_on_the_page(document):
    page = to_html([document])
    for check in document["checks"]:
        assert check["title"] in page
        assert check["reason"] in page


GROUP = {"dataset": "cora", "conv": "gcn", "treatment": "none"}


@pytest.fixture
def sweep():
    """A small table: depth 4 loses nothing, depth 8 loses, depth 16 failed."""
    tests = {2: (0.8, 0.81, 0.82), 4: (0.81, 0.81, 0.815), 8: (0.6, 0.5, 0.7)}
    rows = [
        {**GROUP, "num_layers": depth, "seed": seed, "test": test, "gauges": {}}
        for depth, values in tests.items()
        for seed, test in enumerate(values)
    ]
    losses = {2: None, 4: 0.0, 8: 0.21, 16: None}
    medians = {2: 0.81, 4: 0.81, 8: 0.6, 16: None}
    summary = [
        {**GROUP, "num_layers": depth, "median": medians[depth], "depth_loss": loss}
        for depth, loss in losses.items()
    ]
    failed = [{**GROUP, "num_layers": 16, "seed": 0, "reason": "NaN <at> epoch 3"}]
    return {
        **{"benthic": "1.2.3", "settings": {"epochs": 200, "metric": "accuracy"}},
        **{"rows": rows, "summary": summary, "failed": failed},
    }


def test_a_sweep_round_trips_and_renders_everywhere(sweep):
    (read,) = from_json(to_json(sweep))
    assert read == sweep
    assert to_text(read).startswith("gcn on cora: test accuracy in percent")
    assert (
        "| none | 81.0 | **81.0** (0.0) | 60.0 (21.0) | –, 1 failed |"
        in to_markdown(read)
    )
    assert r"- failed: gcn none, 16 layers on cora, seed 0: NaN \<at\>" in to_markdown(
        read
    )


def test_the_page_of_a_sweep_stands_alone_and_marks_what_is_kept(sweep):
    text = to_html([sweep, sweep], title="Two")
    page = Page(text)
    assert page.loads == []
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert "http" not in text
    assert text.count("<strong>81.0</strong>") == 2
    assert "<strong>60.0</strong>" not in text
    assert "1 failed" in text
    assert "epochs 200" in text
    assert "NaN &lt;at&gt; epoch 3" in text


def test_hostile_names_in_a_sweep_are_shown_and_never_obeyed(sweep):
    for rows in (sweep["rows"], sweep["summary"], sweep["failed"]):
        for row in rows:
            row |= {"dataset": HOSTILE, "conv": HOSTILE, "treatment": HOSTILE}
            row["reason"] = HOSTILE
    sweep["settings"] = {HOSTILE: HOSTILE}
    page = Page(text := to_html([sweep], title=HOSTILE))
    assert not {"script", "img"} & set(page.tags)
    assert "&lt;script&gt;" in text
    assert "\x1b" not in to_text(sweep)
    assert "<img" not in to_markdown(sweep).replace("\\<img", "")


def test_a_broken_sweep_is_refused_in_one_line():
    with pytest.raises(InputError, match="summary, which is no list"):
        from_json('{"rows": [], "summary": 3}')


def test_addresses_of_papers_become_links(document):
    document["findings"][0]["advice"] = ["GCNII (https://arxiv.org/abs/2007.02133)."]
    page = to_html([document])
    assert '<a href="https://arxiv.org/abs/2007.02133"' in page
    assert Page(page).loads == []
