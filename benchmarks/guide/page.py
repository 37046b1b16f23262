"""The page ``docs/over-smoothing-guide.md``, from the cells alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.guide import (
    c01_collapse,
    c02_limit,
    c03_thresholds,
    c04_ten_hops,
    c05_density,
    c06_hetero,
    c07_attention,
    c08_skips,
    c09_drop_edge,
    c10_reason,
    c11_relbench,
    c12_alice_and_bob,
    c13_grids,
    code_a,
    code_b,
)
from benchmarks.guide.cells import RESULTS, Cells
from benchmarks.guide.figure import draw
from benchmarks.guide.section import (
    CONDITIONS,
    FAILS,
    HOLDS,
    Section,
    table,
    wrap,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "over-smoothing-guide.md"
FIGURE = ROOT / "docs" / "figures" / "guide-cosine.svg"


def write() -> None:
    """Writes the page and its figure."""
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(draw(_trained()), encoding="utf-8")
    PAGE.write_text(render(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def render() -> str:
    """The page as text: the same cells always give the same bytes."""
    found = sections()
    parts = [_opening(found), *(section.to_markdown() for section in found), LIMITS]
    return "\n\n".join(parts).rstrip() + "\n"


def sections() -> list[Section]:
    """The claims in the order of the guide, then the listings."""
    collapse, skips = Cells("c01_collapse"), Cells("c08_skips")
    limit, hops = Cells("c02_limit"), Cells("c04_ten_hops")
    return [
        c01_collapse.section(collapse),
        c02_limit.section(limit),
        c03_thresholds.section(Cells("c03_thresholds"), collapse, skips, limit),
        c04_ten_hops.section(hops, limit),
        c05_density.section(Cells("c05_density")),
        c06_hetero.section(Cells("c06_hetero")),
        c07_attention.section(Cells("c07_attention")),
        c08_skips.section(skips, collapse),
        c09_drop_edge.section(Cells("c09_drop_edge")),
        c10_reason.section(Cells("c10_reason"), collapse, hops),
        c11_relbench.section(),
        c12_alice_and_bob.section(Cells("c12_alice_and_bob")),
        c13_grids.section(Cells("c13_grids")),
        code_a.section(Cells("code_a"), _speed(), limit),
        code_b.section(Cells("code_b"), skips),
    ]


def _trained() -> list[Cells]:
    return [Cells("c01_collapse"), Cells("c08_skips")]


def _speed() -> dict[str, Any]:
    text = (RESULTS.parents[1] / "results" / "cosine.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _opening(found: list[Section]) -> str:
    counted = Counter(section.verdict for section in found)
    verdicts = (
        f"{counted[HOLDS]} hold, {counted[CONDITIONS]} hold with conditions, "
        f"{counted[FAILS]} do not hold"
    )
    rows = [
        [f"[{s.name}](#{s.anchor})", s.title, s.verdict, s.short.replace("|", "\\|")]
        for s in found
    ]
    text = f"""# The over-smoothing guide, checked

A public PyG guide explains over-smoothing with thirteen claims and two listings. Many
people start there. This page puts each beside what we measured: {len(found)} entries,
{verdicts}.

{table(["", "claim", "verdict", "what decides"], rows)}

The guide is right that deep plain GCNs fail on Cora, that repeated averaging has a
poor limit, and that skips help. Its gauge, its explanation and its code are what does
not survive measurement.

## How to read this page

Claims are given in our words. *Measured* is our own run; *published* is a figure of
others with its source, marked where it was recalled and not read again; *read in the
code* is not a measurement. Accuracies are the median over seeds with every seed,
worst first, in parentheses. All numbers on this page come from
`benchmarks/guide/results/` and `benchmarks/guide/published.json`; the page is written
by the scripts and is not edited by hand:

```console
python -m benchmarks.guide
```

It runs from the root of the repository with the development extras installed,
measures what is missing and writes this page. A figure that is there is not
measured again: delete its cell, or its file, to repeat it. The command in each
section does so for that section alone."""
    return "\n\n".join(wrap(part) for part in text.split("\n\n"))


LIMITS = wrap(
    """## Limits of these figures

One thread of a shared two-core machine, no GPU, 3 to 5 seeds, 150 epochs unless said
otherwise: directions, not records. Training was done on Cora only; CiteSeer and
PubMed enter where nothing is trained. Claims 6, 7 and 12 rest on fresh networks, with
short training runs in claim 6. Claim 11 could not be measured."""
)
