"""Classes of values that never change, made without compiling code: what a frozen dataclass with slots is.

`dataclass` writes the methods of each class as text and compiles it. For the hundred classes of the compiler
that took a third of the time in which `checkrein check` reads a short policy.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
class _Meta(type):
    """Makes slots of what a class body annotates; what is assigned there is a default."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Meta:
        names = tuple(body.get("__annotations__", ()))
        defaults = {field: body.pop(field) for field in names if field in body}
        made = super().__new__(cls, name, bases, {**body, "__slots__": names, "__match_args__": names})
        made.defaults = defaults
        made.setters = tuple(getattr(made, field).__set__ for field in names)
        if names:
            made.values = attrgetter(*names)
        return made

    __match_args__: tuple[str, ...]
    defaults: dict[str, Any]
    setters: tuple[Callable[[Any, Any], None], ...]
    values: Callable[[Any], Any]


class Frozen(metaclass=_Meta):
    """Equal and hashed by its fields, which are given by position or by name and can't be assigned."""

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        if named or len(values) != len(cls.setters):
            values = tuple(_completed(cls, values, named))
        for put, value in zip(cls.setters, values, strict=True):
            put(self, value)

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"cannot assign to field `{name}` of a frozen `{type(self).__name__}`")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field `{name}` of a frozen `{type(self).__name__}`")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = type(self).values
        return bool(values(self) == values(other))

    def __hash__(self) -> int:
        return hash(type(self).values(self))

    def __repr__(self) -> str:
        cls = type(self)
        return (
            f"{cls.__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in cls.__match_args__)})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        cls: _Meta = type(self)
        return cls, tuple(getattr(self, name) for name in cls.__match_args__)


def fields(value: Frozen) -> tuple[str, ...]:
    """The names of a value's fields."""
    cls: _Meta = type(value)
    return cls.__match_args__


def replace(value: T, **changes: Any) -> T:
    """The same value but for some fields."""
    cls: Any = type(value)
    kept = {name: getattr(value, name) for name in cls.__match_args__ if name not in changes}
    changed: T = cls(**kept, **changes)
    return changed


def _completed(cls: _Meta, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """The values of all fields in their order; raises TypeError as a call of a function does."""
    names = cls.__match_args__
    if len(values) > len(names):
        raise TypeError(f"{cls.__name__} takes {len(names)} values, and {len(values)} were given")
    given = [*values]
    for name in names[len(values) :]:
        if name in named:
            given.append(named.pop(name))
        elif name in cls.defaults:
            given.append(cls.defaults[name])
        else:
            raise TypeError(f"{cls.__name__} needs a value for `{name}`")
    if named:
        raise TypeError(f"{cls.__name__} takes no `{next(iter(named))}`, or it was given twice")
    return given
