# cython: language_level=3, boundscheck=False, wraparound=False
"""The chain of tests/bench/by_hand.py for tool calls, in Cython with typed state.

Python's global lock is its lock: it calls nothing in between but the hash of a tuple.
"""

from libc.stdint cimport int64_t

cdef int64_t MANY = 9_000_000_000_000
cdef int REMEMBERED = 256, WITHIN = 10, SAME = 3, LONGEST_CYCLE = 4, REPEATED = 3


cdef class Account:
    cdef int64_t cost, held, tool_calls


cdef class Chain:
    cdef int64_t steps, clock, step_clock, looked_up, known
    cdef Py_hash_t ring[256]
    cdef int64_t at[256]
    cdef Account run, session, user, org
    cdef dict regions

    def __init__(self, dict regions):
        self.run, self.session, self.user, self.org = Account(), Account(), Account(), Account()
        self.regions = regions
        self.step_clock = self.looked_up = -1

    cdef bint stuck(self, Py_hash_t fingerprint):
        cdef int64_t place = self.known, back, most, same = 0
        cdef int period, i
        self.ring[place % REMEMBERED] = fingerprint
        self.at[place % REMEMBERED] = self.steps
        self.known = place + 1
        most = self.known if self.known < REMEMBERED else REMEMBERED
        for back in range(most):
            if self.at[(place - back) % REMEMBERED] <= self.steps - WITHIN:
                break
            same += self.ring[(place - back) % REMEMBERED] == fingerprint
        if same >= SAME:
            return True
        for period in range(1, LONGEST_CYCLE + 1):
            if most < period * REPEATED:
                return False
            for i in range(period * (REPEATED - 1)):
                if self.ring[(place - i) % REMEMBERED] != self.ring[(place - i - period) % REMEMBERED]:
                    break
            else:
                return True
        return False

    def tool_call(self, int64_t now, str tool, dict args, dict facts):
        """Decide a tool call."""
        cdef bint is_stuck
        cdef double risk, age
        self.clock += 1
        is_stuck = self.stuck(hash((tool, *args.items())))
        if is_stuck:
            return {"outcome": "stop", "by": "stuck", "reason": "over_limit", "model": None}
        if tool == "refund":
            if facts.get("risk.flagged", False) is True:
                return {"outcome": "deny", "by": "flagged", "reason": "Flagged.", "model": None}
            if self.looked_up < 0 or (self.step_clock >= 0 and self.looked_up >= self.step_clock):
                return {"outcome": "deny", "by": "look first", "reason": "Look it up first.", "model": None}
            age = facts.get("ticket.age", 0)
            if age > 2592000:
                return {"outcome": "deny", "by": "old", "reason": "Too old.", "model": None}
            found = self.regions.get(facts.get("customer.region", "eu"))
            if found is not None and args["amount"] > found[1]:
                return {"outcome": "deny", "by": found[0], "reason": "Not in this region.", "model": None}
            risk = facts.get("risk.score", 0)
            if risk >= 0.9:
                return {"outcome": "deny", "by": "risky", "reason": "Too risky.", "model": None}
            if args["amount"] > 10000 and facts.get("customer.tier", "free") != "enterprise":
                return {"outcome": "escalate", "by": "big", "reason": "Needs a person.", "model": None}
        if self.run.tool_calls >= MANY:
            return {"outcome": "stop", "by": "per run", "reason": "over_limit", "model": None}
        if self.session.tool_calls >= MANY:
            return {"outcome": "stop", "by": "per session", "reason": "over_limit", "model": None}
        if self.user.tool_calls >= MANY:
            return {"outcome": "stop", "by": "per user", "reason": "over_limit", "model": None}
        if self.org.tool_calls >= MANY:
            return {"outcome": "stop", "by": "per org", "reason": "over_limit", "model": None}
        self.run.tool_calls += 1
        self.session.tool_calls += 1
        self.user.tool_calls += 1
        self.org.tool_calls += 1
        return {"outcome": "allow", "by": None, "reason": None, "model": None}

    def step(self):
        """A model call: only that a step has begun is of interest here."""
        self.clock += 1
        self.step_clock = self.clock
        self.steps += 1

    def settle_tool(self, str tool):
        """Remember a success."""
        self.clock += 1
        if tool == "search_kb" and self.looked_up < 0:
            self.looked_up = self.clock
