"""Which errors of a tool are the same mistake made again."""

from __future__ import annotations

import re

from checkrein import _core

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_LONGEST = 2_000


def message_fingerprint(error: BaseException) -> int:
    """Of what kind of exception it is and what it says, without what only this call's arguments put there.

    Left out are quoted parts and words with a digit, such as ids, amounts and dates: an agent that makes the
    same mistake with one order after the other hears the same.
    """
    kind = type(error)
    said = _QUOTED.sub(" ", _text_of(error)[:_LONGEST])
    words = [word for word in said.split() if not any(letter.isdigit() for letter in word)]
    text = " ".join([kind.__module__, kind.__qualname__, *words])
    return _core.xxh3_64(text.encode("utf-8", "surrogatepass"))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- the host's error, which is passed on whatever it can say of itself
        return ""
