"""What is wrong with the names and parameters that a configuration takes from River: all of it, one line each.

What can be made is also tried: two of each are fed the same, one is written and read back halfway, and both must say
the same to the end. So what cannot be kept, or not be done again, is refused before it runs.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import msgpack

from driftline.models.library import catalogue
from driftline.models.library.components import Mistakes, make_detector
from driftline.models.library.detector import open_detector
from driftline.models.library.estimator import Estimator, is_regressor, make_estimator, misfit
from driftline.models.library.portrait import UnknownPartError
from driftline.schemas.config import FeatureKind, Task
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.river import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from driftline.schemas.config import Configuration, ModelConfig
    from driftline.schemas.river import ChallengerConfig, RiverDetector

_VALUES: Final = 400
_EVENTS: Final = 120
_CLASSES: Final = 3
_NAMES: Final = ("a", "b", "c")  # of features, where none are configured


class _Kept(Protocol):
    def snapshot(self) -> Any: ...  # noqa: ANN401 - of JSON

    def restore(self, snapshot: Any) -> None: ...  # noqa: ANN401 - of JSON


def check_library(configuration: Configuration) -> None:
    """Check all that a configuration takes from River; if that is nothing, River is not even imported.

    Raises
    ------
    ConfigurationError
        With one line for each mistake.

    """
    mistakes = Mistakes()
    for n, model in enumerate(configuration.models):
        for k, detector in enumerate(model.detectors.river):
            _check_detector(detector, model.task, f"models.{n}.detectors.river.{k}", mistakes)
        if model.challenger.steps:
            _check_challenger(model, f"models.{n}.challenger", mistakes)
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))


def _check_detector(config: RiverDetector, task: Task | None, where: str, mistakes: Mistakes) -> None:
    before = len(mistakes)
    make_detector(config, f"{where}.name", mistakes)
    if len(mistakes) > before:
        return
    if catalogue.is_binary(config.name):
        if others := [each for each in config.on if each is not Watched.ERROR]:
            mistakes.add(f"{where}.on", f"{config.name} takes zeros and ones, which {others[0]} is not: only error is")
        elif task is Task.REGRESSION:
            mistakes.add(f"{where}.name", f"{config.name} takes zeros and ones, and errors of a regression are numbers")
    if len(mistakes) == before and (said := _trouble_of(lambda: open_detector(config), _values(), _decision)):
        mistakes.add(f"{where}.name", f"{config.name} {said}")


def _check_challenger(model: ModelConfig, where: str, mistakes: Mistakes) -> None:
    before, config = len(mistakes), model.challenger
    made = make_estimator(config.steps, f"{where}.estimator", mistakes)
    if len(mistakes) > before:
        return
    name = config.steps[-1].name
    said = misfit(made, model.task)
    if said is None:
        task = model.task or (Task.REGRESSION if is_regressor(made) else Task.BINARY)
        events = _events(task, _kinds(config, model))
        said = _trouble_of(lambda: Estimator(config.steps, task), events, _answer)
    if said is not None:
        mistakes.add(f"{where}.estimator", f"{name} {said}")


def _trouble_of(make: Callable[[], Any], given: Sequence[Any], show: Callable[[Any, Any], object]) -> str | None:
    """Return what is wrong with what is made, once it has been given all of that."""
    first, second = make(), make()
    for n, each in enumerate(given):
        try:
            if n == len(given) // 2:
                second.restore(msgpack.decode(msgpack.encode(_snapshot_of(second))))
            shown = show(first, each), show(second, each)
        except UnknownPartError as error:
            return f"cannot be kept over a restart: its state has {error}"
        except Exception as error:  # noqa: BLE001 - a stranger's code at its trial
            return f"fails: {type(error).__name__}: {' '.join(str(error).split())}"
        if shown[0] != shown[1]:
            return "says something else the second time: give it a seed, or to what is inside of it"
    return None


def _snapshot_of(kept: _Kept) -> Any:  # noqa: ANN401 - of JSON
    snapshot = kept.snapshot()
    if isinstance(kept, Estimator) and snapshot["state"] is None:
        kept.write()  # which says why
    return snapshot


def _decision(detector: Any, value: float) -> object:  # noqa: ANN401 - of the library
    return detector.update(value)


def _answer(estimator: Any, event: tuple[dict[str, float | str], float]) -> object:  # noqa: ANN401 - as above
    inputs, answer = event
    predicted = estimator.predict(inputs)
    estimator.learn(inputs, answer)
    if estimator.trouble is not None:
        raise estimator.trouble
    return predicted


def _values() -> list[float]:
    """Return zeros and ones that change once: what every detector takes."""
    random = Random(1)  # noqa: S311 - not for secrets
    return [float(random.random() < (0.1 if n < _VALUES // 2 else 0.6)) for n in range(_VALUES)]


def _kinds(config: ChallengerConfig, model: ModelConfig) -> dict[str, FeatureKind]:
    names = config.features or (*model.features, *_NAMES)
    kinds = {name: feature.kind or FeatureKind.NUMERIC for name, feature in model.features.items()}
    chosen = {name: kinds.get(name, FeatureKind.NUMERIC) for name in names}
    return {name: kind for name, kind in chosen.items() if config.features or kind is FeatureKind.NUMERIC}


def _events(task: Task, kinds: dict[str, FeatureKind]) -> list[tuple[dict[str, float | str], float]]:
    return list(_each_event(task, kinds))


def _each_event(task: Task, kinds: dict[str, FeatureKind]) -> Iterator[tuple[dict[str, float | str], float]]:
    random = Random(1)  # noqa: S311 - not for secrets
    for _ in range(_EVENTS):
        inputs: dict[str, float | str] = {
            name: random.random() if kind is FeatureKind.NUMERIC else random.choice("xyz")
            for name, kind in kinds.items()
        }
        level = random.random()
        yield (
            inputs,
            {
                Task.BINARY: level > 0.5,  # noqa: PLR2004 - one half
                Task.MULTICLASS: int(level * _CLASSES),
                Task.REGRESSION: 10 * level,
            }[task],
        )
