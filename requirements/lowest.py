"""Print the lower bounds of pyproject.toml as pins: `make test-lowest` runs the tests with them."""

import re
import sys
import tomllib
from pathlib import Path

TESTED = ("worker", "embedded", "test")
"""The extras whose bounds are tested beside those of the base installation; `lint` says nothing of what runs."""

_BOUND = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,-]+\])?>=(?P<version>[\w.]+)")


def main() -> None:
    """Print one pin for each direct dependency."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(line for extra in TESTED for line in extras[extra])]:
        bound = _BOUND.match(requirement)
        if bound is None:
            sys.exit(f"{requirement} has no lower bound")
        print(f"{bound['name']}=={bound['version']}")


if __name__ == "__main__":
    main()
