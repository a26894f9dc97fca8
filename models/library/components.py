"""Objects of River from what the configuration says of them, and what is wrong with that."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from inspect import Parameter, signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from driftline.models.library import catalogue
from driftline.models.library.portrait import settle_seeds
from driftline.schemas.errors import ConfigurationError, reworded
from driftline.schemas.river import Component

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEED: Final = 0
"""Of everything random that the configuration does not seed, so that a replay does the same."""

_LENIENT: Final = ConfigDict(arbitrary_types_allowed=True)
_PLAIN: Final = (bool, int, float, str)
_GROUPED: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_NESTED: Final = frozenset({"name", "parameters"})


class Mistakes(list[str]):
    """Lines that each say where something is wrong, and what."""

    def add(self, where: str, said: str) -> None:
        """Note a mistake."""
        self.append(f"{where}: {said}")


def make_detector(component: Component, where: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of River
    """Return a detector of `river.drift`; None if there are mistakes.

    Examples
    --------
    >>> make_detector(Component(name="KSWIM"), "name", found := Mistakes())
    >>> found
    ["name: river.drift has no detector 'KSWIM'; did you mean KSWIN?"]

    """
    kind = catalogue.detectors().get(component.name)
    if kind is None:
        suggestion = _suggest(component.name, catalogue.detectors())
        mistakes.add(where, f"river.drift has no detector {component.name!r}; {suggestion}")
        return None
    return _made(kind, component, where.removesuffix(".name"), mistakes)


def make_part(component: Component, where: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of River
    """Return an object of one of River's public classes; None if there are mistakes. `where` is of its name."""
    kind = catalogue.classes().get(component.name)
    if kind is None:
        mistakes.add(where, f"River has no class {component.name!r} that can be used here; {_near(component.name)}")
        return None
    return _made(kind, component, where.removesuffix(".name").removesuffix(".estimator"), mistakes)


def made(found: object, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of River
    """Return what was made of a configuration that had been checked.

    Raises
    ------
    ConfigurationError
        If it had not been.

    """
    if mistakes or found is None:
        raise ConfigurationError("\n".join(mistakes))
    return found


def _made(kind: type, component: Component, where: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of River
    before = len(mistakes)
    places = _places(kind)
    given, more = {}, []
    for name, value in component.parameters.items():
        at = f"{where}.parameters.{name}"
        if name not in places:
            mistakes.add(at, f"{component.name} has no such parameter; {_suggest(name, places)}")
            continue
        found = _value(value, at, mistakes)
        if places[name].kind is Parameter.VAR_POSITIONAL:
            more = found if isinstance(found, list) else [found]
        else:
            given[name] = _typed(kind, places[name], found, at, mistakes)
    missing = [name for name, place in places.items() if _is_needed(place) and name not in component.parameters]
    for name in missing:
        mistakes.add(f"{where}.parameters.{name}", "is missing")
    if len(mistakes) > before:
        return None
    if "seed" in places:
        given.setdefault("seed", _SEED)
    try:
        part = kind(*more, **given)
    except Exception as error:  # noqa: BLE001 - whatever a constructor of River makes of it, a person wrote it
        mistakes.add(f"{where}.parameters", f"{component.name} refuses them: {_said_by(error)}")
        return None
    settle_seeds(part)
    return part


def _is_needed(place: Parameter) -> bool:
    return place.default is Parameter.empty and place.kind not in _GROUPED


def _value(value: Any, at: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of JSON, and what was made of it
    """Return a parameter, with the objects of River in it made."""
    if isinstance(value, list):
        return [_value(each, f"{at}.{n}", mistakes) for n, each in enumerate(value)]
    if not isinstance(value, dict) or "name" not in value or not value.keys() <= _NESTED:
        return value
    try:
        nested = Component.model_validate(value)
    except ValidationError as error:
        for mistake in error.errors(include_url=False, include_input=False):
            path = ".".join(map(str, mistake["loc"]))
            mistakes.add(f"{at}.{path}", reworded(mistake["msg"]))
        return None
    return make_part(nested, f"{at}.name", mistakes)


@cache
def _places(kind: type) -> dict[str, Parameter]:
    """Return the parameters of a constructor."""
    _, *places = signature(kind.__init__).parameters.values()  # type: ignore[misc]  # of the class as it is
    return {place.name: place for place in places if place.kind is not Parameter.VAR_KEYWORD}


def _typed(kind: type, place: Parameter, value: Any, at: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of any type
    """Return a value as the type that a parameter has by its annotation, or else by its default."""
    adapter = _adapter(kind, place.name)
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = dict.fromkeys(
            reworded(mistake["msg"]) for mistake in error.errors(include_url=False, include_input=False)
        )
        mistakes.add(at, " or ".join(said))
        return None


@cache
def _adapter(kind: type, name: str) -> TypeAdapter[Any] | None:
    place = _places(kind)[name]
    hint = _hint(kind, place)
    if hint is None:
        return None
    try:
        return TypeAdapter(hint, config=_LENIENT)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return None


def _hint(kind: type, place: Parameter) -> Any:  # noqa: ANN401 - any type expression
    if place.annotation is not Parameter.empty:
        names = getattr(kind.__init__, "__globals__", {})  # type: ignore[misc]  # as above
        try:
            return get_type_hints(SimpleNamespace(__annotations__={"it": place.annotation}), names)["it"]
        except NameError:  # of what River imports for type checkers only
            return None
    default = type(place.default)
    if default is int:
        return int | float
    return default if default in _PLAIN else None


def _suggest(wrong: str, known: Mapping[str, object]) -> str:
    if not known:
        return "it has none"
    close = get_close_matches(wrong, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _near(name: str) -> str:
    """Suggest a class: of the same name in another module, or of one that is alike."""
    last = name.rpartition(".")[2]
    known = catalogue.classes()
    same = [each for each in known if each.rpartition(".")[2] == last]
    if found := same or get_close_matches(name, known, n=1):
        return f"did you mean {found[0]}?"
    return "write its module and its name, as in tree.HoeffdingTreeClassifier"


def _said_by(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
