"""Values that never change behave as frozen dataclasses do."""

import copy
import pickle
from dataclasses import dataclass

import pytest

from checkrein.frozen import Frozen, fields, replace


class Place(Frozen):
    """One with a default, and one more."""

    line: int
    column: int = 1

    @property
    def shown(self) -> str:
        return f"{self.line}:{self.column}"


class Word(Frozen):
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    line: int
    column: int = 1


def test_fields_are_given_by_position_or_name_and_defaults_stand_in():
    assert [each.shown for each in (Place(3), Place(3, 4), Place(column=4, line=3))] == ["3:1", "3:4", "3:4"]
    assert fields(Place(3)) == ("line", "column")
    assert Place.__doc__ == "One with a default, and one more."


@pytest.mark.parametrize("given", [((), {}), ((1, 2, 3), {}), ((1,), {"line": 2}), ((1,), {"lien": 2})])
def test_what_a_dataclass_does_not_take_is_not_taken(given):
    values, named = given
    for cls in (Model, Place):
        with pytest.raises(TypeError):
            cls(*values, **named)


def test_values_are_equal_and_hashed_by_their_fields_and_class():
    assert Place(3) == Place(3, 1)
    assert hash(Place(3)) == hash(Place(3, 1)) == hash(Model(3))
    assert Place(3) != Place(4)
    assert Place(3) != Model(3)
    assert Word("a") == Word("a") != "a"
    assert len({Word("a"), Word("a"), Word("b")}) == 2


def test_nothing_is_assigned_and_nothing_added():
    place = Place(3)
    for change in (lambda: setattr(place, "line", 4), lambda: setattr(place, "row", 4)):
        with pytest.raises(AttributeError, match="of a frozen `Place`"):
            change()
    with pytest.raises(AttributeError, match="cannot delete"):
        del place.line
    assert not hasattr(place, "__dict__")
    assert place == Place(3)


def test_another_value_is_made_of_one():
    assert replace(Place(3), column=9) == Place(3, 9)
    with pytest.raises(TypeError):
        replace(Place(3), row=9)


def test_values_are_shown_copied_and_sent_as_those_of_a_dataclass():
    assert repr(Place(3)) == repr(Model(3)).replace("Model", "Place")
    assert copy.copy(Place(3)) == copy.deepcopy(Place(3)) == pickle.loads(pickle.dumps(Place(3))) == Place(3)


def test_patterns_match_by_position():
    match Place(3, 4):
        case Place(line, column):
            assert (line, column) == (3, 4)
