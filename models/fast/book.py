"""What is known of the records of a partition by their text: templates, names, and what they stand for.

All of it is learned from records that the contract has taken, and that Python has put into rows: a text that stood
there as a value stands for the same when it comes again. What is not known yet goes the long way, and is learned on it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.fast.categories import Categories, slots_of
from driftline.models.fast.growing import FEWEST, Growing
from driftline.models.fast.meanings import Meanings
from driftline.models.fast.templates import template_of
from driftline.models.kernels import fast as kernels
from driftline.models.kernels import names as naming
from driftline.models.kernels import templates as reading
from driftline.models.kernels.ids import NONE
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.config import Task
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.models.arena import Arena
    from driftline.models.fast.templates import Slot, Template
    from driftline.models.join.joins import Joins
    from driftline.models.model import Model
    from driftline.models.record import Record
    from driftline.models.watch.known import Known
    from driftline.models.watch.version_watch import VersionWatch


MOST_NAMES: Final = 131_072
_MOST_TEMPLATES: Final = 256
_MOST_BYTES: Final = 2**26  # of texts
_SEED: Final = np.uint64(hash("names") & (2**64 - 1))  # another one in each process: nobody can aim at one place
_BATCH: Final = -1  # in place of a topic: no text is compared with it


class Book:
    """Templates and names, in the shape that kernels take.

    Parameters
    ----------
    arena, joins
        Of the models of the partition.

    """

    def __init__(self, arena: Arena, joins: Joins) -> None:
        self._arena = arena
        self._joins = joins
        self._begin()

    def _begin(self) -> None:
        self._numbers: dict[tuple[bool, object], int] = {}  # of templates
        self._features: list[dict[str, tuple[int, int]]] = []  # of each template: where they stand, and what they are
        self._told: list[tuple[str, ...]] = []  # of each template: the names of the classes that have a probability
        self._templates = Growing(reading.TEMPLATE)
        self._slots = Growing(reading.SLOT)
        self._texts = Growing(np.dtype(np.uint8))
        self._hints = np.full(len(INPUTS), NONE, np.int64)
        self._names = Growing(naming.NAME)
        self._places = np.full(4 * FEWEST, NONE, np.int32)
        self._fasts = Growing(kernels.FAST)
        self._shapes = Growing(kernels.SHAPE)
        self._maps = Growing(np.dtype(np.int32))
        self.categories = Categories()
        self.meanings = Meanings(self._joins, self._maps)
        self._shape_numbers: dict[tuple[int, int, int, int], int] = {}
        self.most_features = 0  # of a version, or of a template with its probabilities

    @property
    def templates(self) -> reading.Templates:
        """All that records are compared with."""
        texts = self._texts.array
        names = self._named()
        return reading.Templates(
            self._templates.array[: len(self._templates)],
            self._slots.array,
            texts,
            self._hints,
            names,
            self._fasts.array,
        )

    def _named(self) -> naming.Names:
        return naming.Names(self._names.array, self._places, self._texts.array, _SEED)

    @property
    def known(self) -> kernels.Known:
        """All that is known of fast models."""
        return kernels.Known(
            self._fasts.array,
            self._shapes.array,
            self._maps.array,
            self.meanings.values.array,
            self.meanings.combinations.array,
            self.meanings.parts.array,
            self.categories.array,
        )

    @property
    def size(self) -> int:
        """How much is known: the same as before if nothing was learned meanwhile."""
        return len(self._names) + len(self._templates) + len(self._shapes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be read into columns yet."""
        return not len(self._templates)

    @property
    def is_full(self) -> bool:
        """Whether it is time to `forget`."""
        many = len(self._names) + len(self.meanings) + len(self._shapes) + len(self.categories)
        return (
            many + FEWEST > MOST_NAMES
            or len(self._texts) > _MOST_BYTES
            or len(self._templates) == _MOST_TEMPLATES
            or len(self._maps) > _MOST_BYTES
        )

    def forget(self) -> None:
        """Begin anew; no row may wait."""
        self._joins.unfold()
        self._begin()

    # -- learning -----------------------------------------------------------------------------------------------------

    def is_stale(self, model: Model) -> bool:
        """Return whether what is noted of a model that is in the book is not what it is now."""
        fast, known = self._fasts.array[model.join.index], model.known
        if known is None:
            return True
        versions = min(known.scoreboard.versions, kernels.MOST_VERSIONS)
        record = self._arena.models.rows[model.index]
        return bool(fast["epoch"] != record["epoch"] or fast["versions"] != versions)

    def is_noted(self, model: Model) -> bool:
        """Return whether a model is in the book as what it is now."""
        return model.join.index < len(self._fasts) and not self.is_stale(model)

    def may_learn(self, event: object, known: Known | None) -> bool:
        """Return whether kernels may take records of a model and a version, as far as that is cheap to tell."""
        if known is None or not isinstance(event, WireLabel | WirePrediction):
            return False
        if isinstance(event, WirePrediction):
            return self.may_take(Prediction, event.model_version, known)
        return self.may_take(Label, None, known)

    @staticmethod
    def may_take(kind: type[Prediction | Label], version: str | None, known: Known) -> bool:
        """Return the same of predictions of a version, or of labels."""
        if not known.is_plain:
            return False
        if kind is Prediction:
            watch = None if version is None else known.versions.get(version)
            return watch is not None and watch.is_steady
        return any(watch.truth.frozen for watch in known.versions.values())

    def learn(self, record: Record, model: Model) -> bool:
        """Learn from a record that its model has taken, if one may; return whether there was anything to learn.

        A template that is new is nothing in this sense: who varies the spaces of each record is not to be looked at for
        ever.
        """
        event, known = record.event, model.known
        if known is None or not isinstance(event, WireLabel | WirePrediction):
            return False
        watch = known.versions.get(event.model_version) if isinstance(event, WirePrediction) else None
        features = {} if watch is None else slots_of(watch)
        of_numbers = known.profile.task is Task.REGRESSION
        template = template_of(record.raw.value or b"", features, of_numbers=of_numbers)
        if template is None or any(len(slot.text) >= reading.MOST_TEXT for slot in template.slots):
            return False
        before, templates = len(self._names) + self.categories.noted, len(self._templates)
        number = self._number_of(template, is_label=isinstance(event, WireLabel))
        if number is None:
            return False
        news = self._note_model(model, known)
        slots = {slot.what: slot for slot in template.slots}
        join = model.join.index
        self._name(NONE, slots[reading.MODEL], lambda: join)
        if not of_numbers:
            value = event.label if isinstance(event, WireLabel) else event.prediction
            self._name(known.number, slots[reading.VALUE], lambda: self.meanings.value(value, known))
        if isinstance(event, WirePrediction):
            version = self._name(
                known.number, slots[reading.VERSION], lambda: self.meanings.version(event.model_version, known)
            )
            if reading.SEGMENTS in slots:
                self._name(
                    known.number,
                    slots[reading.SEGMENTS],
                    lambda: self.meanings.combination(event.segments, model, known),
                )
            if watch is not None:
                news |= self._note_shape(join, number, version, watch, known)
                self._name_categories(template, version, watch, event.features)
        self._fasts.array[join]["hint"][int(isinstance(event, WireLabel))] = number
        return len(self._templates) == templates and (news or len(self._names) + self.categories.noted > before)

    def note_batch(
        self, model: Model, known: Known, version: str | None, features: tuple[str, ...], told: tuple[str, ...]
    ) -> int | None:
        """Note what batches of a model are like, of predictions if there is a version; return that template.

        They have these features, and probabilities of the classes that are `told`.
        """
        whats = {} if version is None else slots_of(known.versions[version])
        found = tuple((name, whats.get(name, reading.FEATURE)) for name in features)
        key = version is None, (found, told)
        number = self._numbers.get(key)
        if number is None:
            if len(self._templates) == _MOST_TEMPLATES:
                return None
            self._add_features(found, told)
            row = (_BATCH, 0, 0, len(found), 0, 0, len(told), False)
            number = self._numbers[key] = self._templates.append(row)
        self._note_model(model, known)
        if version is not None:
            numbered = self.meanings.version(version, known)
            self._note_shape(model.join.index, number, numbered, known.versions[version], known)
        return number

    def _number_of(self, template: Template, *, is_label: bool) -> int | None:
        key = is_label, template.key
        number = self._numbers.get(key)
        if number is None and len(self._templates) < _MOST_TEMPLATES:
            features = template.features
            self._add_features(features, template.probabilities)
            first = len(self._slots)
            for slot in template.slots:
                column = self.categories.column(slot.name) if slot.what == reading.CATEGORY else NONE
                self._slots.append((*self._text(slot.before), slot.what, column))
            after, told = self._text(template.after), len(template.probabilities)
            row = (is_label, first, len(template.slots), len(features), *after, told, template.of_numbers)
            number = self._numbers[key] = self._templates.append(row)
        return number

    def spread(self) -> None:
        """Give names twice as many places."""
        self._places = np.full(2 * len(self._places), NONE, np.int32)
        naming.scatter(self._named(), len(self._names))

    def _add_features(self, features: Sequence[tuple[str, int]], told: tuple[str, ...]) -> None:
        self._features.append({name: (place, what) for place, (name, what) in enumerate(features)})
        self._told.append(told)
        self.most_features = max(self.most_features, len(features) + len(told))

    def _text(self, text: str) -> tuple[int, int]:
        return self._texts.extend(text.encode()), len(text)

    def _name(self, owner: int, slot: Slot, meaning: Callable[[], int]) -> int:
        """Return what a text stands for; one that is new stands for what `meaning` returns."""
        text = np.frombuffer(slot.text.encode(), np.uint8)
        names = self._named()
        number = int(naming.name_of(names, owner, slot.what, text, 0, len(text)))
        if number == NONE:
            number = meaning()
            if 2 * len(self._names) + 2 > len(self._places):
                self.spread()
            place = self._names.append((0, 0, *self._text(slot.text), number))
            naming.put(self._named(), owner, slot.what, text, place)
        return number

    def _name_categories(
        self, template: Template, version: int, watch: VersionWatch, features: Mapping[str, Any]
    ) -> None:
        for slot in template.slots:
            if slot.what != reading.CATEGORY or features[slot.name] is None or "\\" in slot.text:
                continue
            number = self.categories.number_of(version, watch, slot.name, features[slot.name])
            if number != NONE:
                column = self.categories.column(slot.name)
                self._name(version * reading.MOST_COLUMNS + column, slot, partial(int, number))

    def _note_model(self, model: Model, known: Known) -> bool:
        """Note what a model is now; return whether that is news."""
        join = model.join.index
        while len(self._fasts) <= join:
            self._fasts.append(np.zeros((), kernels.FAST))
        fast = self._fasts.array[join]
        record = self._arena.models.rows[model.index]
        board = known.scoreboard
        versions = board.version_records()[: kernels.MOST_VERSIONS]
        before = int(fast["epoch"])
        if before == record["epoch"] and fast["versions"] == len(versions):
            return False
        if fast["owner"] != known.number:  # else they stand for as long as the layout is that of the version
            fast["shapes"] = 0
        fast["epoch"], fast["owner"], fast["model"], fast["recents"] = (
            record["epoch"],
            known.number,
            model.index,
            board.recents,
        )
        fast["task"], fast["classes"] = record["task"], len(known.profile.classes or ())
        fast["versions"] = len(versions)
        for n, (version, part, slot) in enumerate(versions):
            watch = known.versions.get(version)
            fast["name"][n], fast["part"][n], fast["slot"][n] = self.meanings.version(version, known), part, slot
            fast["watch"][n] = NONE if watch is None else watch.index
        if before == 0:
            fast["hint"] = NONE
        return True

    def _note_shape(self, join: int, template: int, version: int, watch: VersionWatch, known: Known) -> bool:
        """Note the predictions of a version that are of a template; return whether that is news."""
        fast = self._fasts.array[join]
        shapes = [int(shape) for shape in fast["shape"][: fast["shapes"]]]
        layout = int(self._arena.versions.rows[watch.index]["layout"])
        rows = self._shapes.array
        kept = [shape for shape in shapes if (rows[shape]["template"], rows[shape]["version"]) != (template, version)]
        if len(kept) < len(shapes) and any(rows[shape]["layout"] == layout for shape in set(shapes) - set(kept)):
            return False
        found, whats = self._features[template], slots_of(watch)
        if any(whats.get(name) != what for name, (_, what) in found.items()) or len(kept) == kernels.MOST_SHAPES:
            return False
        if self._told[template] and known.profile.task is Task.REGRESSION:
            return False
        self.most_features = max(self.most_features, len(whats))
        key = template, version, watch.index, layout
        number = self._shape_numbers.get(key)
        if number is None:
            start = len(self._maps)
            for name, what in whats.items():
                place, _ = found.get(name, (NONE, what))
                is_number = what == reading.FEATURE or place == NONE
                self._maps.append(place if is_number else kernels.CATEGORIES - place)
            of_features = template, version, watch.index, start, layout
            classes, probabilities, told = self.meanings.probabilities(self._told[template], known)
            of_classes = classes, probabilities, len(found), told
            number = self._shape_numbers[key] = self._shapes.append((*of_features, *of_classes))
        inputs = 0 if known.online is None else len(known.online.inputs)
        self._joins.table.fit(inputs + len(self._told[template]))
        kept.append(number)
        fast["shapes"] = len(kept)
        fast["shape"][: len(kept)] = kept
        return True
