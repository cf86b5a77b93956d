"""What a run remembers between its calls, and takes along when it is suspended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from checkrein.errors import EngineError
from checkrein.guard.approvals import written
from checkrein.guard.block import Block, Outcome
from checkrein.guard.classify import Failure
from checkrein.guard.luggage import (
    PATIENCE_SECONDS,
    Asking,
    Life,
    Luggage,
    Resumed,
    fingerprint,
    nonce,
    require_storable,
)
from checkrein.guard.stream import unless_ended
from checkrein.guard.usage import UNKNOWN
from checkrein.record import answer_record, movement_record

RESULTS_MAX = 512
"""How many results are kept before those are dropped that the engine has forgotten; it knows half as many."""


class Memory(Block):
    """A run with the calls that its host knows by keys of its own."""

    def __init__(self, *args: Any, resumed: Resumed | None = None, **kwargs: Any) -> None:
        super().__init__(*args, resumed=resumed, **kwargs)
        self.notes: dict[str, Any] = {}
        """What adapters remember of the run: plain data, which is suspended with it."""
        self.results: dict[int, Any] = {}
        """Of attempts, for a policy that hands known results back; they stay in this process."""
        self._calls: dict[str, int] = {}
        self._held: dict[str, tuple[Any, str]] = {}
        self._life: Life | None = resumed.life if resumed else None
        self._parcel: tuple[Life, bytes, bytes, list[Asking]] | None = None
        if resumed is not None:
            self._unpack(resumed)
            self._answers, self._came = resumed.answers, self.clock.now()
            self._is_unused = self._due = True

    # -- calls that a host asks about again ---------------------------------------------------------

    def known(self, key: str | None, exact: Any) -> tuple[int | None, Any]:
        """The call that the host knows as `key`, and its attempt if one is held.

        An attempt that was decided for another call than `exact`, or before a stop, is given up.
        """
        if key is None:
            return None, None
        with self._lock:
            call = self._calls.get(key)
            decision, was = self._held.pop(key, (None, None))
        is_same = decision is None or was == fingerprint(exact)
        if decision is None or (is_same and not self._is_stopped and not self.ended):
            return call, decision
        with unless_ended(self):
            self.fail(decision, Failure("cancelled", UNKNOWN))
        return None, None

    def remember(self, key: str | None, decision: Any) -> int | None:
        """From now on the host's `key` is the call of `decision`, which is given back."""
        call: int | None = decision.call
        if key is not None and call is not None:
            with self._lock:
                self._calls[key] = call
        return call

    def hold(self, key: str, decision: Any, exact: Any) -> None:
        """The framework paused this attempt: asked again with `key`, it goes on; its hold is kept."""
        with self._lock:
            self._held[key] = decision, fingerprint(exact)

    def forget(self, key: str) -> None:
        """The host uses `key` for a new call from now on."""
        with self._lock:
            self._calls.pop(key, None)
            self._held.pop(key, None)

    def keep_result(self, decision: Any, value: Any) -> None:
        """Keep what an attempt at a tool gave, before anybody can be told of it, while somebody may be."""
        if not self.guard.reuses or decision.model is not None:
            return
        with self._lock:
            self.results[decision.attempt] = value
            if len(self.results) > RESULTS_MAX:
                known = set(self._core.known())
                self.results = {
                    each: kept
                    for each, kept in self.results.items()
                    if each in known or self._core.held(each) is not None  # known once it is settled
                }

    # -- leaving this process -------------------------------------------------------------------------

    def suspend(self, *, timeout: float = PATIENCE_SECONDS) -> None:
        """Leave this process: the run waits in the guard's store until `guard.resume(run.id)`, anywhere.

        From now on every call here is refused. What is under way keeps its hold as spent, but for tool calls
        that a framework has paused. Waits for the store, at most `timeout` seconds; after an `EngineError`
        of kind `away` or `locked`, suspend again: the run does no more here in any case.

        Raises `EngineError` of kind `no_store`, `ended`, `child`, `bad_value` (a fact that is no plain
        value, an id that a store cannot keep, too much in `notes`; the run goes on), `taken` (another run
        had the same id), `dropped`, or what is wrong with the store.
        """
        if self._is_forked():
            raise EngineError("this run is of another process, which may suspend it", "forked")
        ledger = self.guard.require_ledger()
        with self._lock:
            life, state, luggage, asking = self._parcel = self._parcel or self._packed()
        ledger.park(self.id, self.guard.program, life, state, luggage, asking, timeout)
        with self._lock:
            if self.outcome.kind != "suspended":
                self.outcome = Outcome("suspended")
                self._write(movement_record("suspension", self, life[2]))
        self.guard.drain()

    def _packed(self) -> tuple[Life, bytes, bytes, list[Asking]]:
        """End the run here, once: from now on it is what was packed."""
        self._settle_dropped()
        self._instant()
        held = {
            key: (decision.attempt, decision.number, exact)
            for key, (decision, exact) in self._held.items()
            if not self.ended and self._core.held(decision.attempt) is not None
        }
        luggage = Luggage(
            self.names, self._scopes, self.facts, self._calls, held, self.notes, self._advice,
            self._wrapped_up, {str(request): text for request, text in self._texts.items()},
        ).packed()  # fmt: skip
        shown = self._shown()
        require_storable(self.id, luggage, sum(map(len, shown.values())))
        state = self._core.suspend(*self._instant(), [attempt for attempt, _, _ in held.values()])
        self.ended = self._suspended = True
        self._advice = []
        origin = nonce()
        asking = [
            (
                open["request"],
                open["bound"],
                open["wants"] == "question",
                open["left"],
                shown.get(open["request"], b""),
            )
            for open in self._core.open_requests()
        ]
        return self._life or (origin, origin, 0), state, luggage, asking

    def _shown(self) -> dict[int, bytes]:
        """What people are to see of the requests that were made here."""
        open, limits = self._core.open_requests(), [dict(row) for row in self._core.limits()]
        return {
            each["request"]: written(self, each, self._asked[each["request"]], limits)
            for each in open
            if each["request"] in self._asked
        }

    def _take_answers(self) -> None:
        now, wall = self._now(), self._wall()
        while self._answers:  # only a run that does something takes them, since one that does not waits again
            request, bound, word, text, who, ago = self._answers.pop(0)
            try:
                self._core.answer(now, wall, request, word != "reject", ago + now - self._came, bound)
                if text is not None:
                    self._texts[request] = text
                self._write(answer_record(self, request, word, who))
            except EngineError as error:  # answered here before, or not asked any more
                if error.kind not in {"expired", "already_answered", "unknown_request", "ended"}:
                    raise

    def _unpack(self, resumed: Resumed) -> None:
        luggage = resumed.luggage
        self._texts = {int(request): text for request, text in luggage.texts.items()}
        self.notes, self._calls, self._advice = luggage.notes, luggage.calls, luggage.advice
        self._wrapped_up = luggage.wrapped_up
        for key, (attempt, number, exact) in luggage.held.items():
            held = self._core.held(attempt)
            if held is not None:  # its record stays that of the decision that allowed it
                says = {name: getattr(held, name) for name in dir(held) if name[0] != "_"}
                self._held[key] = SimpleNamespace(**{**says, "number": number}), exact

    def tell_resumed(self) -> None:
        """Log that the run goes on here."""
        if self._life is not None:
            self._write(movement_record("resumption", self, self._life[2]))

    def leave(self) -> None:
        """The guard is closed: the run ends, or waits again if it was resumed and not used."""
        with self._lock:
            is_unused, self._is_unused = self._is_unused, False
            if not is_unused:
                self.end()
                return
            self.ended = self._suspended = True
            self.outcome = Outcome("suspended")
        self._give_back()

    def _give_back(self) -> None:
        if self._life is not None and not self._is_forked():
            self.guard.ledger.give_back(self.id, self._life[1])

    def __del__(self) -> None:
        super().__del__()
        if getattr(self, "_is_unused", False):
            self._give_back()

    def end(self, error: BaseException | None = None) -> Outcome:
        """End the run: open attempts keep their holds as spent. Ending twice changes nothing."""
        with self._lock:  # another thread suspends it before or after
            is_over = self.ended
            outcome = super().end(error)
            is_over |= self.suspended
        if self._life is not None and not is_over and not self._is_forked():
            self.guard.ledger.finish(self.id, self._life)
        return outcome
