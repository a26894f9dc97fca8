"""What is known of the records of a partition by their text: templates, names, and what they stand for.

All of it is learned from records that the contract has taken, and that Python has put into rows: a text that stood
there as a value stands for the same when it comes again. What is not known yet goes the long way, and is learned on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.fast.templates import template_of
from driftline.models.join.entry import token_of
from driftline.models.kernels import fast as kernels
from driftline.models.kernels import templates as reading
from driftline.models.kernels.ids import NONE
from driftline.models.watch.binary_scoreboard import BinaryScoreboard
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

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
_FEWEST: Final = 64
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
        self._features: list[list[str]] = []  # of each template
        self._templates = _Growing(reading.TEMPLATE)
        self._slots = _Growing(reading.SLOT)
        self._texts = _Growing(np.dtype(np.uint8))
        self._hints = np.full(len(INPUTS), NONE, np.int64)
        self._names = _Growing(reading.NAME)
        self._places = np.full(4 * _FEWEST, NONE, np.int32)
        self._fasts = _Growing(kernels.FAST)
        self._shapes = _Growing(kernels.SHAPE)
        self._maps = _Growing(np.dtype(np.int32))
        self._values = _Growing(kernels.VALUE)
        self._combinations = _Growing(kernels.COMBINATION)
        self._parts = _Growing(np.dtype(np.int32))
        self._versions: dict[str, int] = {}
        self._shape_numbers: dict[tuple[int, int, int, int], int] = {}
        self._value_numbers: dict[tuple[int, type, str], int] = {}
        self._combination_numbers: dict[tuple[int, tuple[tuple[str, str], ...]], int] = {}
        self.most_features = 0  # of a version or template
        self.most_parts = 1  # in which a pair is counted

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

    def _named(self) -> reading.Names:
        return reading.Names(self._names.array, self._places, self._texts.array, _SEED)

    @property
    def known(self) -> kernels.Known:
        """All that is known of fast models."""
        return kernels.Known(
            self._fasts.array,
            self._shapes.array,
            self._maps.array,
            self._values.array,
            self._combinations.array,
            self._parts.array,
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
        many = len(self._names) + len(self._combinations) + len(self._values) + len(self._shapes)
        return (
            many + _FEWEST > MOST_NAMES
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
        if known is None or not isinstance(known.scoreboard, BinaryScoreboard):
            return True
        versions = min(known.scoreboard.versions, kernels.MOST_VERSIONS)
        record = self._arena.models.rows[model.index]
        return bool(fast["epoch"] != record["epoch"] or fast["versions"] != versions)

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
        template = template_of(record.raw.value or b"")
        if template is None or any(len(slot.text) >= reading.MOST_TEXT for slot in template.slots):
            return False
        before, templates = len(self._names), len(self._templates)
        number = self._number_of(template, is_label=isinstance(event, WireLabel))
        if number is None:
            return False
        news = self._note_model(model, known)
        slots = {slot.what: slot for slot in template.slots}
        join = model.join.index
        self._name(NONE, slots[reading.MODEL], lambda: join)
        value = event.label if isinstance(event, WireLabel) else event.prediction
        self._name(known.number, slots[reading.VALUE], lambda: self.value_number(value, known))
        if isinstance(event, WirePrediction):
            version = self._name(known.number, slots[reading.VERSION], lambda: self.version_number(event.model_version))
            if reading.SEGMENTS in slots:
                self._name(
                    known.number,
                    slots[reading.SEGMENTS],
                    lambda: self.combination_number(event.segments, model, known),
                )
            if (watch := known.versions.get(event.model_version)) is not None:
                news |= self._note_shape(join, number, version, watch)
        self._fasts.array[join]["hint"][int(isinstance(event, WireLabel))] = number
        return len(self._templates) == templates and (news or len(self._names) > before)

    def note_batch(self, model: Model, known: Known, version: str | None, features: tuple[str, ...]) -> int | None:
        """Note what batches of a model are like, of predictions if there is a version; return that template."""
        number = self._numbers.get((version is None, features))
        if number is None:
            if len(self._templates) == _MOST_TEMPLATES:
                return None
            self._features.append(list(features))
            self.most_features = max(self.most_features, len(features))
            number = self._numbers[version is None, features] = self._templates.append((_BATCH, 0, 0, 0, 0, 0))
        self._note_model(model, known)
        if version is not None:
            self._note_shape(model.join.index, number, self.version_number(version), known.versions[version])
        return number

    def claim(self, combination: int, known: Known) -> None:
        """Note where pairs with these values of segments are counted, if that is known by now."""
        board = known.scoreboard
        if combination == NONE or not isinstance(board, BinaryScoreboard):
            return
        row = self._combinations.array[combination]
        if row["start"] != NONE:
            return
        parts = board.claimed(self._joins.segments[combination])
        if parts is not None:
            row["start"], row["end"] = len(self._parts), len(self._parts) + len(parts)
            for part in parts:
                self._parts.append(part)
            self.most_parts = max(self.most_parts, 1 + len(parts))

    def _number_of(self, template: Template, *, is_label: bool) -> int | None:
        key = is_label, template.key
        number = self._numbers.get(key)
        if number is None and len(self._templates) < _MOST_TEMPLATES:
            features = template.features
            self._features.append(features)
            self.most_features = max(self.most_features, len(features))
            first = len(self._slots)
            for slot in template.slots:
                self._slots.append((*self._text(slot.before), slot.what))
            row = (is_label, first, len(template.slots), len(features), *self._text(template.after))
            number = self._numbers[key] = self._templates.append(row)
        return number

    def _text(self, text: str) -> tuple[int, int]:
        return self._texts.extend(text.encode()), len(text)

    def _name(self, owner: int, slot: Slot, meaning: Callable[[], int]) -> int:
        """Return what a text stands for; one that is new stands for what `meaning` returns."""
        text = np.frombuffer(slot.text.encode(), np.uint8)
        names = self._named()
        number = int(reading.name_of(names, owner, slot.what, text, 0, len(text)))
        if number == NONE:
            number = meaning()
            place = self._names.append((0, 0, *self._text(slot.text), number))
            if 2 * len(self._names) > len(self._places):
                self._places = np.full(2 * len(self._places), NONE, np.int32)
                reading.scatter(self._named(), place)
            reading.put(self._named(), owner, slot.what, text, place)
        return number

    def value_number(self, value: Any, known: Known) -> int:  # noqa: ANN401 - a scalar
        """Return the number of what a model predicts, or of a label."""
        key = known.number, type(value), repr(value)  # in which -0.0 is not 0.0
        number = self._value_numbers.get(key)
        if number is None:
            number = self._value_numbers[key] = self._new_value(value, known)
        return number

    def _new_value(self, value: Any, known: Known) -> int:  # noqa: ANN401 - a scalar
        scoring: Any = known.profile.scoring
        cell = scoring.cell(value, value)
        self._joins.values.append(value)
        if cell is None:
            return self._values.append((token_of(value), 2, NONE))
        return self._values.append((token_of(value), cell // 3, cell // 3))

    def combination_number(self, segments: dict[str, str], model: Model, known: Known) -> int:
        """Return the number of values of segments that stand together, of those attributes that are configured."""
        chosen = model.chosen(segments)
        key = known.number, tuple((chosen or {}).items())
        number = self._combination_numbers.get(key)
        if number is None:
            self._joins.segments.append(chosen)
            number = self._combination_numbers[key] = self._combinations.append((NONE, NONE))
        return number

    def version_number(self, version: str) -> int:
        """Return the number of a version's name."""
        number = self._versions.get(version)
        if number is None:
            number = self._versions[version] = len(self._joins.versions)
            self._joins.versions.append(version)
        return number

    def _note_model(self, model: Model, known: Known) -> bool:
        """Note what a model is now; return whether that is news."""
        join = model.join.index
        while len(self._fasts) <= join:
            self._fasts.append(np.zeros((), kernels.FAST))
        fast = self._fasts.array[join]
        record = self._arena.models.rows[model.index]
        board: Any = known.scoreboard
        versions = board.version_records()[: kernels.MOST_VERSIONS]
        before = int(fast["epoch"])
        if before == record["epoch"] and fast["versions"] == len(versions):
            return False
        if known.online is not None:
            self._joins.table.fit(len(known.online.inputs))
        if fast["owner"] != known.number:  # else they stand for as long as the layout is that of the version
            fast["shapes"] = 0
        fast["epoch"], fast["owner"], fast["model"], fast["recents"] = (
            record["epoch"],
            known.number,
            model.index,
            board.recents,
        )
        fast["versions"] = len(versions)
        for n, (version, part, slot) in enumerate(versions):
            watch = known.versions.get(version)
            fast["name"][n], fast["part"][n], fast["slot"][n] = self.version_number(version), part, slot
            fast["watch"][n] = NONE if watch is None else watch.index
        if before == 0:
            fast["hint"] = NONE
        return True

    def _note_shape(self, join: int, template: int, version: int, watch: VersionWatch) -> bool:
        """Note the predictions of a version that are of a template; return whether that is news."""
        fast = self._fasts.array[join]
        shapes = [int(shape) for shape in fast["shape"][: fast["shapes"]]]
        layout = int(self._arena.versions.rows[watch.index]["layout"])
        rows = self._shapes.array
        kept = [shape for shape in shapes if (rows[shape]["template"], rows[shape]["version"]) != (template, version)]
        if len(kept) < len(shapes) and any(rows[shape]["layout"] == layout for shape in set(shapes) - set(kept)):
            return False
        places = {name: place for place, name in enumerate(self._features[template])}
        names = watch.feature_names
        if not places.keys() <= set(names) or len(kept) == kernels.MOST_SHAPES:
            return False
        self.most_features = max(self.most_features, len(names))
        key = template, version, watch.index, layout
        number = self._shape_numbers.get(key)
        if number is None:
            start = len(self._maps)
            for name in names:
                self._maps.append(places.get(name, NONE))
            number = self._shape_numbers[key] = self._shapes.append((template, version, watch.index, start, layout))
        kept.append(number)
        fast["shapes"] = len(kept)
        fast["shape"][: len(kept)] = kept
        return True


class _Growing:
    """An array that grows as it must; what is behind its length is zero."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.array: npt.NDArray[Any] = np.zeros(_FEWEST, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def _make_room(self, more: int) -> None:
        size = len(self.array)
        while size < self._length + more + 1:  # there is always one behind the last
            size *= 2
        if size > len(self.array):
            grown = np.zeros(size, self.array.dtype)
            grown[: self._length] = self.array[: self._length]
            self.array = grown

    def append(self, item: object) -> int:
        """Add an item and return its place."""
        self._make_room(1)
        self.array[self._length] = item
        self._length += 1
        return self._length - 1

    def extend(self, items: Sequence[int]) -> int:
        """Add some bytes and return the place of the first."""
        self._make_room(len(items))
        start = self._length
        self.array[start : start + len(items)] = np.frombuffer(bytes(items), np.uint8)
        self._length += len(items)
        return start
