"""pyproject.toml: what the code imports is declared, and not merely brought by something else that is."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def imported(*folders: str) -> set[str]:
    """Return the packages of others that the code in some folders imports."""
    names: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names.add(node.module.partition(".")[0])
    ours_and_pydantic_s = {"driftline", "pydantic_core"}  # pydantic asks for exactly one version of its core
    return names - sys.stdlib_module_names - ours_and_pydantic_s


def declared(*extras: str) -> set[str]:
    """Return the distributions that the base installation has, with some extras."""
    return distributions(
        [*PROJECT["dependencies"], *(line for e in extras for line in PROJECT["optional-dependencies"][e])]
    )


def distributions(requirements: Iterable[str]) -> set[str]:
    """Return the names of distributions as an index knows them: in small letters, with dashes."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", line)[0]).lower() for line in requirements}


@pytest.mark.parametrize(
    ("folders", "extras"),
    [(("driftline/client", "schemas"), ("arrow",)), (("models", "streams"), ("worker", "embedded"))],
    ids=["client", "worker"],
)
def test_what_is_imported_is_declared(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    brought_by = packages_distributions()
    undeclared = {name for name in imported(*folders) if not distributions(brought_by[name]) & declared(*extras)}
    assert undeclared == set()
