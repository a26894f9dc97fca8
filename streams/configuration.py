"""The configuration file: from YAML on disk to a checked `Configuration`.

YAML is read by the rules of version 1.2, not PyYAML's 1.1: ``on`` is a key of our retrain section and ``no`` a class of
many a model, and 1.1 makes booleans of both. A key that stands twice is refused; YAML keeps the last one silently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path

_TAG: Final = "tag:yaml.org,2002:"


def read_configuration(path: Path) -> Configuration:
    """Read and check a configuration file; an empty file is the default configuration.

    Parameters
    ----------
    path
        A YAML file in UTF-8.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is not YAML (with line and column), has a key twice, or is refused by
        `parse_configuration`. The message begins with the path.

    Examples
    --------
    >>> from pathlib import Path
    >>> read_configuration(Path("no/such.yaml"))
    Traceback (most recent call last):
    driftline.schemas.errors.ConfigurationError: no/such.yaml cannot be read: No such file or directory

    """
    document = read_yaml(path, Configuration.model_fields)
    try:
        configuration = parse_configuration(document)
        _check_river(configuration)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return configuration


def read_yaml(path: Path, known: Iterable[str]) -> dict[str, Any] | None:
    """Return what a YAML file says by keys, of which these are `known`; None if it is empty.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is not YAML (with line and column), has a key twice, or is anything else.

    """
    try:
        document: object = _Loader(path.read_bytes()).get_single_data()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}{_explain(error)}") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deep") from None
    if not isinstance(document, dict | None):
        raise ConfigurationError(f"{path} must be a mapping with any of {', '.join(known)}, not a {_name_of(document)}")
    return document


def _check_river(configuration: Configuration) -> None:
    if any(model.names_river for model in configuration.models):
        # River takes nearly two seconds to import, and few configurations name it.
        from driftline.models.library.check import check_library  # noqa: PLC0415

        check_library(configuration)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, without repeated keys and without further types."""

    # Of this class alone: PyYAML's own loaders stay as they are.
    yaml_implicit_resolvers: Final = {}  # type: ignore[misc]  # declared as mutable there
    yaml_constructors: Final = {  # type: ignore[misc]  # as above
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag in {f"{_TAG}map", f"{_TAG}seq", f"{_TAG}str", None}
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a dict, and refuse a key that stands twice."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


def _scalar(name: str, pattern: str, first: str, convert: Callable[[str], object]) -> None:
    """Teach `_Loader` one type: what it looks like, the characters that it begins with, and what it becomes."""
    accepted = re.compile(rf"(?:{pattern})\Z")

    def construct(_loader: _Loader, node: yaml.ScalarNode) -> object:
        if accepted.match(node.value) is None:  # an explicit tag before something else
            raise yaml.constructor.ConstructorError(None, None, f"{node.value!r} is no {name}", node.start_mark)
        return convert(node.value)

    _Loader.add_implicit_resolver(f"{_TAG}{name}", accepted, list(first))
    _Loader.add_constructor(f"{_TAG}{name}", construct)


_scalar("bool", r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true")
# Numbers with a leading zero stay text: 007 is an id, and 1.1 would read it as octal.
_scalar("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", "-+0123456789", int)
_scalar(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
    lambda text: float(re.sub(r"\.(?=[iInN])", "", text)),
)
_scalar("null", r"~|null|Null|NULL|", "~nN", lambda _: None)
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"\Z"), [""])  # a value that is left out
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<\Z"), ["<"])


def _explain(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f", line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return f" is not YAML: {' '.join(str(error).split())}"


def _name_of(document: object) -> str:
    return {list: "list", str: "text", bool: "boolean", int: "number", float: "number"}.get(type(document), "value")
