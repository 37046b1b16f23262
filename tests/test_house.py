"""The taste test: names, exports, mirrors, docs, versions, light imports."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import benthic

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest and mypy bring it where the standard library has none
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "benthic"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
ROOMS = [path.parent for path in FILES if path.name == "__init__.py"][1:]
EXTRAS = sorted((PACKAGE / "relational" / "sources").glob("postgres*.py"))
CHECKS = sorted((PACKAGE / "checks").glob("d[0-9][0-9][0-9]_*.py"))
SCRIPTS = [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci" / "run"]

BANNED = {
    *("util", "utils", "helper", "helpers", "common", "misc", "manager", "handler"),
    *("base", "core", "v2", "trick", "tricks", "process", "new", "my"),
}
TOP_LEVEL = {
    path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path in ROOMS
} - {"__init__"}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return set(re.split(r"[^a-z0-9]+", spaced.lower()))


def export_order(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions, as ruff sorts them."""
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name


def run_python(code: str) -> str:
    """Runs code in a fresh interpreter that imports this checkout."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(name: str) -> dict:
    contracts = settings()["tool"]["importlinter"]["contracts"]
    return next(item for item in contracts if item["name"] == name)


# Exports


def test_the_root_exports_are_sorted_and_each_can_be_had():
    assert list(benthic.__all__) == sorted(set(benthic.__all__), key=export_order)
    for name in benthic.__all__:
        assert getattr(benthic, name) is not None


def test_the_root_shows_all_of_its_exports_and_nothing_else():
    shown = {
        name
        for name in dir(benthic)
        if not name.startswith("_")
        and name not in TOP_LEVEL
        and not inspect.ismodule(getattr(benthic, name))
        and name not in {"annotations", "TYPE_CHECKING"}
    }

    assert shown == {name for name in benthic.__all__ if not name.startswith("_")}


def test_an_unknown_name_of_the_root_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        benthic.no_such_name  # noqa: B018


def test_each_room_can_be_entered_from_the_root_and_none_is_before():
    rooms = {room.name for room in ROOMS if room.parent == PACKAGE} - {"cli"}
    code = f"""
import sys, benthic
assert not any(f"benthic.{{room}}" in sys.modules for room in {sorted(rooms)})
benthic.transforms.FoSR, benthic.nn.DeepGNN, benthic.training.Protocol
print(*(getattr(benthic, room).__name__ for room in {sorted(rooms | {"errors"})}))
"""
    expected = [f"benthic.{room}" for room in sorted(rooms | {"errors"})]
    assert run_python(code).split() == expected


@pytest.mark.parametrize("room", ROOMS, ids=relative)
def test_a_room_exports_what_its_init_imports_sorted(room):
    imported = {
        alias.asname or alias.name
        for node in ast.walk(parse(room / "__init__.py"))
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    constants = {
        node.target.id
        for node in parse(room / "__init__.py").body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    exports = importlib.import_module(dotted(room)).__all__

    assert list(exports) == sorted(set(exports), key=export_order)
    public = {name for name in imported | constants if not name.startswith("_")}
    assert set(exports) == public


def test_each_measure_has_its_metric_twin_in_the_same_file():
    metrics = importlib.import_module("benthic.metrics")
    functions = [n for n in metrics.__all__ if inspect.isfunction(getattr(metrics, n))]

    assert functions
    for name in functions:
        twin = getattr(metrics, name.title().replace("_", ""))
        assert twin.__module__ == getattr(metrics, name).__module__


# Files and names


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_source_file_has_its_test_file_at_the_same_path(path):
    mirror = ROOT / "tests" / path.relative_to(PACKAGE).parent / f"test_{path.name}"

    assert mirror.is_file(), f"write {mirror.relative_to(ROOT)}"


def test_a_test_file_has_its_source_file_at_the_same_path():
    tests = ROOT / "tests"
    apart = {
        tests / "test_house.py",
        tests / "test_examples.py",
        tests / "test_pages.py",
        tests / "metrics" / "test_streaming.py",  # what all metrics have in common
        tests / "relational" / "test_leakage.py",  # what the whole room promises
        tests / "relational" / "test_leakage_columns.py",
        tests / "relational" / "test_leakage_rel_f1.py",
        tests / "relational" / "test_column_names.py",
    }
    for path in tests.rglob("test_*.py"):
        inside = path.relative_to(tests)
        if path in apart or inside.parts[0] in ("papers", "golden"):
            continue
        source = PACKAGE / inside.parent / inside.name.removeprefix("test_")
        assert source.is_file(), f"{inside} tests no file"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_name_says_nothing(path):
    names = {path.stem, *path.relative_to(PACKAGE).parent.parts}
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)

    assert not {name for name in names if words(name) & BANNED}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_module_says_in_one_line_what_it_is(path):
    docstring = ast.get_docstring(parse(path), clean=True) or ""
    first, *rest = docstring.splitlines() or [""]

    assert first.strip()
    assert first.endswith((".", "?"))
    assert not rest or not rest[0].strip()


# The README and the docs


def python_blocks(page: Path) -> list[tuple[int, str]]:
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, m.start()) + 1, m[1]) for m in fences]


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for line, code in python_blocks(page):
        # Empty lines first, so that a traceback shows the line of the page.
        compiled = compile("\n" * line + code, str(page), "exec")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compiled, namespace)


def test_the_readme_shows_python_in_its_first_screen():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert any(line.startswith("```python") for line in lines[:40])


def test_each_check_has_its_section_in_the_docs_and_each_section_its_check():
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    anchors = re.findall(r'^<a id="(d\d{3})"></a>\n\n## (D\d{3}): ', page, re.MULTILINE)

    assert all(anchor.upper() == heading for anchor, heading in anchors)
    assert [anchor for anchor, _ in anchors] == [path.name[:4] for path in CHECKS]


def test_each_measure_has_its_section_in_the_docs():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    metrics = importlib.import_module("benthic.metrics")
    functions = {n for n in metrics.__all__ if inspect.isfunction(getattr(metrics, n))}

    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == functions


def test_each_page_of_the_docs_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {
        path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")
    }

    assert set(re.findall(r"\S+\.md", menu)) == pages


# Imports


def test_importing_benthic_loads_nothing_heavy():
    heavy = ("torch", "torch_geometric", "torchmetrics", "pandas", "scipy", "jinja2")
    forbidden = ("matplotlib", "typer", "rich", "duckdb", "sklearn", "networkx")
    code = f"import sys, benthic; print(*{{*{heavy + forbidden}}} & {{*sys.modules}})"

    assert run_python(code).split() == []


def test_every_module_imports_without_the_tools_of_developers():
    tools = ("networkx", "beartype", "hypothesis", "pytest")
    tools += ("sqlalchemy", "psycopg", "adbc_driver_postgresql")  # an extra
    code = f"""
import sys
for tool in {tools}:
    sys.modules[tool] = None
import importlib
for name in {[dotted(path) for path in MODULES if path not in EXTRAS]}:
    importlib.import_module(name)
"""
    run_python(code)


def test_every_module_has_a_floor():
    layers = contract("floors")["layers"]
    floors = [name.strip() for layer in layers for name in layer.split("|")]

    assert sorted(floors) == sorted(TOP_LEVEL)


def test_every_module_but_the_command_line_is_kept_from_typer_and_rich():
    sources = contract("only the command line knows typer and rich")["source_modules"]

    assert set(sources) == {f"benthic.{name}" for name in TOP_LEVEL - {"cli"}}


# What is shipped


def test_the_marker_of_typed_packages_and_the_templates_are_shipped():
    shipped = settings()["tool"]["setuptools"]["package-data"]["benthic"]
    extra = [
        p
        for p in PACKAGE.rglob("*")
        if p.is_file() and p.suffix != ".py" and p.parent.name != "__pycache__"
    ]

    assert PACKAGE / "py.typed" in extra
    for path in extra:
        assert any(path.match(pattern) for pattern in shipped), path.name


def test_one_version_everywhere():
    version = settings()["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert benthic.__version__ == version
    assert re.search(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)[1] == version
    assert re.search(r"^version: (\S+)$", citation, re.MULTILINE)[1] == version


def test_every_direct_dependency_is_pinned():
    project = settings()["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["postgres"]]
    wanted = [item for item in wanted if not item.startswith("benthic[")]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {match.lower() for match in re.findall(r"^([\w-]+)==", pins, re.MULTILINE)}

    assert {re.match(r"[\w-]+", item)[0].lower() for item in wanted} <= pinned


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run(script):
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
