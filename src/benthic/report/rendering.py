"""Diagnosis or sweep -> HTML, Markdown, text and JSON through one view of it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jinja2

from benthic.errors import InputError
from benthic.report.depth_table import (
    depth_text,
    depth_view,
    fault_of,
    is_sweep,
    markdown_rows,
)
from benthic.report.gauges import GAUGES, PROBE, SIGNALS
from benthic.report.trials import trials_view
from benthic.report.wording import (
    DASH,
    cell,
    escape_markdown,
    evidence_items,
    figure,
    notes,
    table,
)

Document: TypeAlias = Mapping[str, Any]
"""One diagnosis or sweep, as its ``to_dict()`` gives it."""

_READINGS = tuple(gauge.field for gauge in (*GAUGES, *SIGNALS, PROBE))
_MOST_ROWS = 20  # of a layer table in a terminal; a longer one is abbreviated


def to_json(document: Document) -> str:
    r"""A document as strict JSON: NaN and infinity become null, with the reason.

    Args:
        document: A diagnosis, a sweep, or a document that holds several.

    Example:
        >>> to_json({"verdict": "healthy", "seconds": float("nan")})
        '{\n  "verdict": "healthy",\n  "seconds": null\n}'
    """
    return json.dumps(_strict(document), indent=2, allow_nan=False, ensure_ascii=False)


def from_json(text: str, *, argument: str = "FILE") -> list[dict[str, Any]]:
    """Reads the documents back that :func:`to_json` wrote.

    Args:
        text: One diagnosis, ``{"diagnoses": [one, …]}``, or one sweep.
        argument: What to call the text in an error.

    Raises:
        InputError: If it is not JSON, or neither.

    Example:
        >>> from_json('{"verdict": "healthy", "layers": []}')
        [{'verdict': 'healthy', 'layers': []}]
    """
    remedy = "give a file that `benthic diagnose --json` or `sweep --json` wrote"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(argument, f"no JSON ({error})", remedy) from error
    several = isinstance(value, dict) and isinstance(value.get("diagnoses"), list)
    documents = value["diagnoses"] if several else [value]
    for document in documents:
        if fault := _fault(document):
            raise InputError(argument, fault, remedy)
    if not documents:
        raise InputError(argument, "no diagnosis", remedy)
    return [_strict(document) for document in documents]


def to_text(document: Document) -> str:
    """A document as plain text for a terminal, the verdict first.

    Undefined values are dashes, explained under the table. A network of more than
    20 layers shows its first, its last and evenly spaced layers between them.

    Args:
        document: A diagnosis.

    Example:
        >>> print(to_text({"verdict": "healthy", "summary": "All is well."}))
        verdict: healthy
        All is well.
    """
    if is_sweep(document):
        return depth_text(_strict(document))
    view = _view(document)
    parts = [f"verdict: {view['headline']}", view["summary"]]
    about = [view[key] for key in ("model", "data") if view[key]]
    parts += [" on ".join(about)] if about else []
    for finding in view["findings"]:
        parts += ["", *_finding_lines(finding)]
    if view["rows"]:
        hidden = {"num_nodes", "channels"}
        shown = [i for i, name in enumerate(view["columns"]) if name not in hidden]
        header = [view["columns"][i] for i in shown]
        rows = [[row[i] for i in shown] for row in view["rows"]]
        parts += ["", *table(header, rows, _MOST_ROWS)]
        parts += [f"{DASH} undefined: {note}" for note in view["notes"]]
    parts += _check_lines(view["checks"])
    if view["metrics"]:
        scores = "   ".join(f"{name} {value}" for name, value in view["metrics"])
        parts += ["", f"metrics  {scores}"]
    if view["seconds"] != DASH:
        parts += [f"seconds  {view['seconds']}"]
    return "\n".join(part.rstrip() for part in parts)


def to_markdown(document: Document) -> str:
    """A document as GitHub Markdown, for an issue or a notebook.

    Args:
        document: A diagnosis.

    Example:
        >>> print(to_markdown({"verdict": "healthy", "summary": "All is well."}))
        ## Verdict: healthy
        <BLANKLINE>
        All is well.
    """
    page, view = "page.md.jinja", _view
    if is_sweep(document):
        page, view = "sweep.md.jinja", depth_view
    template = _templates(escape=False).get_template(page)
    text = template.render(view=view(_strict(document)))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def to_html(documents: Sequence[Document], *, title: str = "Benthic diagnosis") -> str:
    """Documents as one HTML page that needs nothing else: no network, no script.

    Args:
        documents: Diagnoses, or sweeps, in the order in which they are shown. A
            diagnosis may bring the ``prescription`` that followed from it.
        title: Heading of the page.

    Example:
        >>> page = to_html([{"verdict": "healthy", "model": "<script>"}])
        >>> "<script" in page, "&lt;script&gt;" in page
        (False, True)
    """
    # Imported here: a table in a terminal need not wait for matplotlib.
    from benthic.report.svg import PALETTE

    are_sweeps = all(map(is_sweep, documents))
    view_of = _sweep_page if are_sweeps else _diagnosis_page
    views = [view_of(_strict(doc), index) for index, doc in enumerate(documents)]
    page = "sweep.html.jinja" if are_sweeps else "page.html.jinja"
    template = _templates(escape=True).get_template(page)
    return template.render(views=views, title=title, palette=PALETTE)


def _templates(*, escape: bool) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["md"] = escape_markdown
    templates.filters["markdown_rows"] = markdown_rows
    return templates


def _sweep_page(document: Document, index: int) -> dict[str, Any]:
    from benthic.report.curves import depth_pictures

    pictures = depth_pictures(document, _prefix(document, index))
    return {**depth_view(document), "pictures": pictures}


def _diagnosis_page(document: Document, index: int) -> dict[str, Any]:
    rx = document.get("prescription")
    return {
        **_view(document),
        "sections": _pictures(document, index),
        "prescription": rx and trials_view(rx),
    }


def _prefix(document: Document, index: int) -> str:
    # Two reports in one notebook are one page: their ids must differ too.
    digest = hashlib.sha256(to_json(document).encode()).hexdigest()[:6]
    return f"b{digest}-{index}"


def _pictures(document: Document, index: int) -> list[dict[str, Any]]:
    # Imported here: a table in a terminal need not wait for matplotlib.
    from benthic.report import plots

    prefix = _prefix(document, index)
    sections = {
        "Gauges by layer": plots.gauge_pictures(document, prefix),
        "What training sends back": plots.signal_pictures(document, prefix),
        "What the layers tell, and from how far": [
            *plots.probe_pictures(document, prefix),
            plots.influence_picture(document, prefix),
        ],
    }
    return [
        {"title": title, "pictures": pictures} for title, pictures in sections.items()
    ]


def _view(document: Document) -> dict[str, Any]:
    """Everything that a rendering writes, as strings; each number is set once here."""
    document = _strict(document)
    findings = [_finding(row) for row in document.get("findings") or []]
    verdict = cell(document.get("verdict"))
    causes = {finding["code"]: finding["cause"] for finding in findings}
    layers = document.get("layers") or []
    columns = _columns(layers)
    metrics = document.get("metrics") or {}
    return {
        "version": cell(document.get("benthic") or ""),
        "model": cell(document.get("model") or ""),
        "data": cell(document.get("data") or ""),
        "verdict": verdict,
        "healthy": verdict == "healthy",
        "headline": f"{verdict} {causes.get(verdict, '')}".strip(),
        "summary": cell(document.get("summary") or ""),
        "findings": findings,
        "columns": columns,
        "rows": [[figure(row.get(name)) for name in columns] for row in layers],
        "notes": notes(layers, columns),
        "checks": [
            {key: cell(row.get(key)) for key in ("code", "title", "outcome", "reason")}
            for row in document.get("checks") or []
        ],
        "metrics": [(cell(name), figure(value)) for name, value in metrics.items()],
        "seconds": figure(document.get("seconds")),
    }


def _finding(row: Mapping[str, Any]) -> dict[str, Any]:
    confidence = row.get("confidence")
    known = isinstance(confidence, int | float)
    docs = cell(row.get("docs") or "")
    return {
        "code": cell(row.get("code")),
        "cause": cell(row.get("cause")),
        "severity": cell(row.get("severity")),
        "confidence": f"{confidence:.0%}" if known else DASH,
        "evidence": evidence_items(row.get("evidence") or {}),
        "advice": [cell(advice) for advice in row.get("advice") or []],
        "docs": docs,
        # A document may come from anyone: no javascript: address becomes a link.
        "is_link": docs.startswith(("docs/", "https://")),
    }


def _columns(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    has_types = any(row.get("node_type") is not None for row in layers)
    types = ["node_type"] if has_types else []
    return ["name", *types, "num_nodes", "channels", *_READINGS]


def _finding_lines(finding: Mapping[str, Any]) -> list[str]:
    head = f"{finding['code']} {finding['cause']}"
    lines = [f"{head} ({finding['severity']}, confidence {finding['confidence']})"]
    width = max((len(name) for name, _ in finding["evidence"]), default=0)
    lines += [f"  {name:{width}}  {value}" for name, value in finding["evidence"]]
    lines += [f"  -> {advice}" for advice in finding["advice"]]
    return [*lines, f"  see {finding['docs']}"] if finding["docs"] else lines


def _check_lines(checks: Sequence[Mapping[str, str]]) -> list[str]:
    """Outcomes at a glance; what a check could not know is worth its reason."""
    codes: dict[str, list[str]] = {}
    for check in checks:
        codes.setdefault(check["outcome"], []).append(check["code"])
    order = ["issue", "tip", "passed"]
    outcomes = [*order, *(kind for kind in codes if kind not in order)]
    lines = [f"{kind}: {', '.join(codes[kind])}" for kind in outcomes if kind in codes]
    lines += [
        f"  {check['code']} {check['title']}: {check['reason']}"
        for check in checks
        if check["outcome"] not in order
    ]
    labels = ["checks", *[""] * len(lines)]
    table = [f"{label:9}{line}" for label, line in zip(labels, lines, strict=False)]
    return ["", *table] if table else []


def _strict(value: Any) -> Any:
    """The same with null for what JSON cannot hold, and a reason beside it."""
    if isinstance(value, Mapping):
        strict = {str(key): _strict(item) for key, item in value.items()}
        lost = [key for key, item in value.items() if _is_lost(item)]
        if lost and "undefined" in strict:
            reasons = {str(key): "not a finite number" for key in lost}
            strict["undefined"] = {**reasons, **(strict["undefined"] or {})}
        return strict
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if _is_lost(value) else value


def _is_lost(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _fault(document: Any) -> str:
    """Why this is no diagnosis, or nothing."""
    if not isinstance(document, dict):
        return f"a JSON {type(document).__name__} instead of an object"
    if is_sweep(document):
        return fault_of(document)
    if not isinstance(document.get("verdict"), str):
        return "JSON without a verdict"
    for name, value, kind in _expected(document):
        if value is not None and not isinstance(value, kind):
            return f"{name}, which is no {kind.__name__}"
    return ""


def _expected(document: Mapping[str, Any]) -> Iterator[tuple[str, Any, type]]:
    """Every part that a rendering looks into, and what it must be.

    Later parts lie inside earlier ones, so a caller stops at the first fault.
    """
    for name in ("metrics", "controls", "limits"):
        yield name, document.get(name), dict
    controls = document.get("controls") or {}
    tables = {
        name: document.get(name)
        for name in ("findings", "checks", "layers", "influence")
    } | {
        name: controls.get(name)
        for name in ("weights_off", "graph_off", "fresh", "noise")
    }
    for name, rows in tables.items():
        yield name, rows, list
        for row in rows or []:
            yield f"a row of {name}", row, dict
            yield f"undefined in {name}", row.get("undefined"), dict
            yield f"evidence in {name}", row.get("evidence"), dict
            yield f"advice in {name}", row.get("advice"), list
