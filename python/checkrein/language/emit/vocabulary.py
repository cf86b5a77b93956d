"""Facts, models, tools, states, queues and zones, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language.emit.sheet import Sheet
from checkrein.language.facts import ARG_PREFIX, RESULT_PREFIX
from checkrein.language.lower.codes import CLASSES, DIMENSIONS, MONEY_UNITS, PLACES
from checkrein.language.lower.conditions import key_of
from checkrein.language.names import ordered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.language.lower.tables import Key
    from checkrein.language.tree import Arg, Grants
    from checkrein.language.zones import Zone
    from checkrein.prices import Tariff


class Vocabulary(Sheet):
    """What statements are about, in the order of the format."""

    def vocabulary(self) -> None:
        names, w = self.t.names, self.w
        w.sequence(self.fact_keys, self.fact)
        w.sequence(self.model_names, self.model)
        w.sequence(ordered(names.tools), self.tool)
        w.sequence(ordered(names.states), self.state)
        w.sequence(ordered(names.queues), self.queue)
        w.sequence(self.t.zones, self.zone)
        w.maybe(None if self.t.clock is None else self.zone_index(self.t.clock), w.number)

    def fact(self, key: Key) -> None:
        entry = self.t.facts[key]
        self.w.text(key[0])
        self.w.byte(key[1])
        self.w.number(entry.most)
        self.w.byte(entry.source)
        self.w.byte(entry.presence)
        if entry.default is not None:
            self.w.constant(entry.default)
        self.w.sequence(sorted(entry.choices, key=lambda c: c.encode()), self.w.text)

    def model(self, name: str) -> None:
        model, w = self.t.names.models[name], self.w
        w.text(name)
        w.text(model.target.text)
        w.number(model.tier or 0)
        w.byte(PLACES.index(str(model.place)))
        w.maybe(model.region and model.region.text, w.text)
        for amount in (model.window, model.output, model.least_output):
            w.number(amount or 0)
        tariffs = self.t.tariffs[name]
        w.byte(int(bool(tariffs)))
        if tariffs:
            w.sequence(tariffs, self.tariff)

    def tariff(self, tariff: Tariff) -> None:
        for number in tariff:
            self.w.number(number)

    def tool(self, name: str) -> None:
        tool, w = self.t.names.tools[name], self.w
        w.text(name)
        w.byte(CLASSES.index(tool.tool_class))
        w.byte(int(tool.once))
        w.byte(int(tool.may_repeat))
        w.maybe(tool.timeout, w.number)
        w.sequence(self.read(tool.args, ARG_PREFIX), self.arg)
        w.sequence(self.read(tool.results, RESULT_PREFIX), self.arg)
        self.condition(tool.succeeds)

    def read(self, fields: Iterable[Arg], prefix: str) -> list[tuple[Arg, int]]:
        """The arguments or fields that some condition reads, with their facts."""
        read = []
        for field in sorted(fields, key=lambda f: f.name.text.encode()):
            key = key_of(prefix + field.name.text, field.type)
            if key in self.fact_index:
                read.append((field, self.fact_index[key]))
        return read

    def arg(self, row: tuple[Arg, int]) -> None:
        arg, fact = row
        self.w.text(arg.name.text)
        self.w.number(fact)
        self.w.byte(MONEY_UNITS.index(arg.type.unit))
        self.w.number(arg.type.most)
        self.w.sequence(sorted(set(arg.type.choices), key=lambda c: c.encode()), self.w.text)

    def state(self, name: str) -> None:
        state = self.t.names.states[name]
        self.w.text(name)
        self.w.maybe(state.tell_agent, self.w.text)
        self.w.maybe(state.tell_user, self.w.text)

    def queue(self, name: str) -> None:
        queue = self.t.names.queues[name]
        self.w.text(name)
        self.w.number(queue.expires or 0)
        self.w.byte(int(queue.default_stop is not None))
        if queue.default_stop is not None:
            self.w.number(self.t.names.place("states", queue.default_stop.text))
        self.w.maybe(queue.grants, self.grants)
        self.w.sequence(sorted({b.text for b in queue.binds}, key=lambda b: b.encode()), self.w.text)

    def grants(self, grants: Grants) -> None:
        self.w.byte(DIMENSIONS.index(grants.amount.dimension))
        self.w.number(int(grants.amount.value))
        self.w.number(grants.times)

    def zone(self, zone: Zone) -> None:
        self.w.text(zone.name)
        self.w.text(zone.version)
        self.w.signed(zone.offset)
        self.w.sequence(zone.transitions, self.transition)

    def transition(self, transition: tuple[int, int]) -> None:
        self.w.number(transition[0])
        self.w.signed(transition[1])
