"""The mistakes of a configuration, in words of ours."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from driftline.schemas.errors import reworded

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explain(mistake: ErrorDetails, root: type[BaseModel]) -> str:
    """Return one line: where the mistake is, and what to write instead."""
    *before, last = mistake["loc"] or ("",)
    # What is in angle brackets tells which of several forms pydantic took a value for; a field may be named so too.
    is_field = mistake["type"] == "extra_forbidden"
    path = tuple(
        part for part in (*before, *(() if is_field else (last,))) if part != "" and not str(part).startswith("<")
    )
    path += (last,) if is_field else ()
    where = ".".join(str(part) for part in path) or "configuration"
    if mistake["type"] == "extra_forbidden":
        return f"{where}: unknown field; {_suggest(str(path[-1]), _section_at(path[:-1], root))}"
    if mistake["type"] in {"model_type", "dict_type"}:
        return f"{where}: must be a mapping"
    return f"{where}: {reworded(mistake['msg'])}"


def _suggest(wrong: str, section: type[BaseModel]) -> str:
    known = list(section.model_fields)
    close = get_close_matches(wrong[:64], known, n=1)
    return f"did you mean {close[0]}?" if close else f"those that this version has are {', '.join(known)}"


def _section_at(path: tuple[int | str, ...], root: type[BaseModel]) -> type[BaseModel]:
    """Return the section that `path` leads to; indices of lists and names of features lead nowhere further."""
    section = root
    for part in path:
        field = section.model_fields.get(str(part))
        section = (_section_in(field.annotation) if field else None) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type expression
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
