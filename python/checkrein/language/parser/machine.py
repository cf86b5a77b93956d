"""The LALR machine: text to tree by the tables, in one pass, with a lexer that knows the parser's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from checkrein.language.parser.tables import Tables

END = "$END"


class Token(str):
    """A piece of the text: what it is, and where it stands."""

    __slots__ = ("end_pos", "start_pos", "type")
    type: str
    start_pos: int
    end_pos: int

    def __new__(cls, type: str, text: str, start_pos: int) -> Self:
        token = super().__new__(cls, text)
        token.type = type
        token.start_pos = start_pos
        token.end_pos = start_pos + len(text)
        return token


class Tree(NamedTuple):
    """What one rule of the grammar read, from the first of its tokens to the last."""

    data: str
    children: list[Any]
    """Trees and tokens."""
    start_pos: int
    end_pos: int


class Unexpected(Exception):
    """The text does not go on as the grammar says."""

    def __init__(self, offset: int, at_end: bool, machine: Machine) -> None:
        super().__init__(f"unexpected text at {offset}")
        self.offset = offset
        self.at_end = at_end
        self.machine = machine


class Machine:
    """One reading of a text: the states that led here, and what was read in each."""

    def __init__(self, tables: Tables, rule: str) -> None:
        self.tables = tables
        first, self._last = tables.starts[rule]
        self.states = [first]
        self.values: list[Any] = []
        self._extents: list[tuple[int, int]] = []

    def run(self, text: str, start: int, end: int) -> Tree:
        """The tree of `text[start:end]`; raises `Unexpected`."""
        tables, states, feed = self.tables, self.states, self.feed
        ignored, words, rows, scanner = tables.ignored, tables.words, tables.rows, tables.scanner
        position = start
        while position < end:
            state = states[-1]
            found = scanner(state).match(text, position, end)
            if found is None:
                raise Unexpected(position, False, self)
            kind: str = found.lastgroup  # type: ignore[assignment]  # every pattern stands in a group
            if kind not in ignored:
                read = found.group()
                if kind == "WORD" and words.get(read) in rows[state]:
                    kind = words[read]
                if not feed(Token(kind, read, position)):
                    raise Unexpected(position, False, self)
            position = found.end()
        if not feed(Token(END, "", end)):
            raise Unexpected(end, True, self)
        tree: Tree = self.values[0]
        return tree

    def feed(self, token: Token) -> bool:
        """Take one token, after all reductions that it asks for; False if it cannot stand here."""
        tables, states = self.tables, self.states
        rows, kind = tables.rows, token.type
        while True:
            action = rows[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                self.values.append(token)
                self._extents.append((token.start_pos, token.end_pos))
                return True
            self._reduce(-1 - action)
            if kind == END and states[-1] == self._last:
                return True

    def _reduce(self, number: int) -> None:
        origin, data, size, kept, single = self.tables.rules[number]
        values, extents, states = self.values, self._extents, self.states
        if size:
            children = values[-size:]
            extent = (extents[-size][0], extents[-1][1])
            del values[-size:], extents[-size:], states[-size:]
        else:
            children, extent = [], (-1, -1)
        if kept is not None:
            parts: list[Any] = []
            for i, inline in kept:
                if inline:
                    parts += children[i].children
                else:
                    parts.append(children[i])
            children = parts
        values.append(children[0] if single and len(children) == 1 else Tree(data, children, *extent))
        extents.append(extent)
        states.append(self.tables.rows[states[-1]][origin])

    def accepts(self) -> frozenset[str]:
        """The terminals that could stand here, whatever reductions they ask for."""
        return frozenset(name for name in self.tables.rows[self.states[-1]] if self._accepts(name))

    def _accepts(self, name: str) -> bool:
        tables, states = self.tables, list(self.states)
        if name != END and name not in tables.terminals:
            return False
        while True:
            action = tables.rows[states[-1]].get(name)
            if action is None or action >= 0:
                return action is not None
            rule = tables.rules[-1 - action]
            del states[len(states) - rule.size :]
            states.append(tables.rows[states[-1]][rule.origin])
            if name == END and states[-1] == self._last:
                return True


def parse(tables: Tables, text: str, start: int, end: int, rule: str) -> Tree:
    """The tree of `text[start:end]` by a rule; raises `Unexpected` where it goes wrong."""
    return Machine(tables, rule).run(text, start, end)
