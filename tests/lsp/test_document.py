"""Places: what an editor counts, whatever stands in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkrein.lsp.document import Document, Place

TEXTS = st.text(st.sampled_from("ab\n\r\t\u00e4\u2028\x0c\U0001f600\ud800"))


def size(text, unit):
    """How many units a text has, by Python's own encoders."""
    encoding, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[unit]
    return len(text.encode(encoding, "surrogatepass")) // width


@pytest.mark.parametrize("unit", ["utf-8", "utf-16", "utf-32"])
@given(text=TEXTS, data=st.data())
def test_every_place_leads_back(unit, text, data):
    document = Document(text, "open.rein", unit)
    offset = data.draw(st.integers(0, len(text)))
    place = document.place(offset)
    if offset > 0 and text[offset - 1 : offset + 1] == "\r\n":
        return  # no place is inside a line's end
    assert document.offset(place) == offset
    # By the book: lines end with \n, \r\n or \r, and with nothing else.
    lines = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert place == (len(lines) - 1, size(lines[-1], unit))


def test_beyond_the_end_is_the_end():
    document = Document("ab\nc", "open.rein")
    assert document.offset(Place(0, 99)) == 2
    assert document.offset(Place(99, 0)) == 4
