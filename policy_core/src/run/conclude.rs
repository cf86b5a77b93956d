//! What a ruling does to the run: attempts open, calls close, requests are made, stops latch.

use super::Run;
use super::amounts::{Amounts, Subject};
use super::call::{Attempt, Call, Latch, Point, Rare};
use super::escalate::{Granting, Standing};
use super::meter::Produced;
use super::patience::{HOLDS_WAIT, LEASE_WAIT};
use super::question::{Besides, Clearance, Finding, Objection, Ruling};
use super::windows::Windows;
use crate::books::{AccountId, Books};
use crate::decision::{Asked, BuiltIn, By, Decision, Outcome, Vote};
use crate::fingerprint::Binding;
use crate::program::Program;

impl Run {
    /// Lends a call asked again, if it is open and `is_same`; else refuses it, and leaves it as it is.
    pub(crate) fn reopen(
        &mut self,
        id: u64,
        decision: &mut Decision,
        is_same: impl Fn(Point) -> bool,
    ) -> Option<Box<Call>> {
        match self.calls.get(id) {
            Some(call) if !call.in_flight && is_same(call.point) => self.calls.lend(id),
            Some(call) if !call.in_flight => {
                decision.refuse(BuiltIn::ChangedCall);
                None
            }
            _ => {
                decision.refuse(BuiltIn::ClosedCall);
                None
            }
        }
    }

    /// Does what was ruled on an open call, which it is given.
    #[inline(always)]
    pub(crate) fn apply(
        &mut self,
        (program, books): (&Program, &mut Books),
        (id, call): (u64, Box<Call>),
        ruling: Ruling,
        clearance: &mut Clearance,
        decision: &mut Decision,
    ) {
        match ruling {
            Ok(()) => self.allow(books, (id, call), clearance, decision),
            Err(objection) => self.refuse((program, books), (id, call), *objection, decision),
        }
    }

    #[inline(never)]
    fn refuse(
        &mut self,
        (program, books): (&Program, &mut Books),
        (id, mut call): (u64, Box<Call>),
        objection: Objection,
        decision: &mut Decision,
    ) {
        match objection {
            Objection::Votes(finding) => self.conclude((program, books), (id, call), finding, decision),
            Objection::BuiltIn(reason) => {
                decision.refuse(reason);
                self.calls.spare(call);
            }
            Objection::Wait(reason, needs) => {
                call.waiting.get_or_insert(self.age.now());
                self.calls.keep(id, call);
                decision.built_in(Outcome::Wait, reason);
                decision.wait_ns = Some(if reason == BuiltIn::Lease { LEASE_WAIT } else { HOLDS_WAIT });
                needs.into_iter().for_each(|(account, amount)| books.need(account, amount));
            }
        }
    }

    /// The first vote decides.
    pub(crate) fn conclude(
        &mut self,
        (program, books): (&Program, &mut Books),
        (id, mut call): (u64, Box<Call>),
        finding: Finding,
        decision: &mut Decision,
    ) {
        let Some(first) = finding.votes.first().copied() else { return self.calls.keep(id, call) };
        decision.outcome = first.outcome;
        decision.state = first.state;
        decision.template = first.template;
        decision.text = finding.text;
        decision.reused = finding.reused;
        decision.by = By::Statement(first.statement);
        decision.undecided = first.undecided;
        decision.rejected = first.rejected;
        decision.votes = finding.votes;
        decision.values = finding.values;
        if let Some(barred) = finding.again.filter(|_| program.is_breaker(first.statement)) {
            decision.wait_ns = Some(barred.most);
            decision.may_be_sooner = barred.may_be_sooner();
        }
        let binding = finding.binding.unwrap_or(Binding::Call(id));
        decision.answered = first.request;
        if first.request.is_some() {
            self.requests.use_up(first.statement, binding);
        }
        match first.outcome {
            Outcome::Allow | Outcome::Wait => self.calls.keep(id, call),
            Outcome::Escalate => {
                decision.asked = self.ask((program, books), id, first, binding, &finding.ways);
                call.waiting = None;
                self.calls.keep(id, call);
                // Nothing runs while a person thinks, so that time is not the agent's.
                self.lineage.pause();
            }
            Outcome::Answer => {
                self.go_on(&mut call);
                self.calls.spare(call);
            }
            Outcome::Reuse | Outcome::Deny | Outcome::Fail => self.calls.spare(call),
            Outcome::Stop => {
                self.latch = Some(Latch { state: first.state, statement: first.statement });
                self.calls.spare(call);
            }
        }
    }

    /// Asks a person, unless that was done: a limit for more in the accounts that are in the way of this
    /// call, a statement for what the call is bound to.
    fn ask(
        &mut self,
        (program, books): (&Program, &mut Books),
        id: u64,
        vote: Vote,
        binding: Binding,
        ways: &[u32],
    ) -> Option<Asked> {
        let queue = vote.queue?;
        let table = program.tables.queues.at(queue);
        let limit = program.limit_of(vote.statement);
        let granting = limit.zip(table.grants).map(|(limit, grants)| {
            let own = ways.iter().filter(|place| self.accounts.limit(**place) == Some(limit));
            Granting { accounts: own.filter_map(|place| self.accounts.account(*place)).collect(), grants }
        });
        let binding = if granting.is_some() { Binding::Call(id) } else { binding };
        let now = self.age.now();
        if self.requests.standing(vote.statement, binding, now) != Standing::Pending {
            let mut row = Windows::default();
            let stands = self.stands.as_deref_mut();
            let taken = (&Amounts::REQUEST, stands);
            self.is_calm &= self.accounts.take(taken, books, self.latest, &mut row.begin());
        }
        let (request, expires_at) = self.requests.ask(
            (vote.statement, binding),
            now,
            (queue, table.expires_ns),
            (vote.wants, granting),
        );
        Some(Asked { request, queue, wants: vote.wants, expires_at: self.age.on_host(expires_at) })
    }

    /// Opens an attempt: its amounts are reserved and the call is in flight until it is settled.
    #[inline(never)]
    fn allow(
        &mut self,
        books: &mut Books,
        (id, mut call): (u64, Box<Call>),
        clearance: &mut Clearance,
        decision: &mut Decision,
    ) {
        self.go_on(&mut call);
        let (now, begun) = (self.latest, self.age.now());
        let rare = clearance.besides.take().map(|besides| self.carry(books, *besides, &mut call));
        let amounts = &clearance.amounts;
        if !call.tries.is_begun() {
            call.begun = begun;
        }
        let number = call.tries.add(clearance.subject);
        call.in_flight = true;
        call.waiting = None;
        call.has_next = clearance.has_next;
        call.cascade = clearance.cascade;
        if call.point == Point::Model {
            call.steps = [true; 3];
        }
        self.take_off(1);
        self.begin_change(&mut call, amounts.subject);
        let mut row = self.windows.begin();
        self.is_calm &= self.accounts.take((amounts, self.stands.as_deref_mut()), books, now, &mut row);
        let windows = row.number();
        self.attempts.push(Attempt {
            call: id,
            number,
            reserved: *amounts,
            windows,
            rare,
            began: now.wall,
            cap: clearance.cap,
            produced: Produced::default(),
            settled: None,
        });
        decision.outcome = Outcome::Allow;
        if let Some(attempt) = self.attempts.last() {
            self.show(self.attempts.len() as u64, attempt, &call, decision);
        }
        self.calls.keep(id, call);
    }

    /// What few calls have with their clearance, as their attempts have it. Approvals are used up, and the
    /// wrapping up is counted.
    #[cold]
    fn carry(&mut self, books: &mut Books, besides: Besides, call: &mut Call) -> Box<Rare> {
        for binding in besides.bindings {
            self.requests.consume(binding, self.age.now(), &mut call.grants);
        }
        let wrap_up = |account: AccountId| {
            let window = books.take(account, 1, self.latest);
            books.settle(account, window, 1, 1, self.latest);
            (account, window)
        };
        Box::new(Rare {
            wrap_ups: besides.wrap_ups.into_iter().map(wrap_up).collect(),
            tickets: besides.tickets,
        })
    }

    /// A call passes: if loops were found at a model's, a person has said so, and they look on from here.
    #[inline]
    fn go_on(&mut self, call: &mut Call) {
        if !call.loops.is_empty() && call.point == Point::Model {
            self.look_on(call);
        }
    }

    #[cold]
    fn look_on(&mut self, call: &mut Call) {
        let is_found = self.is_found(call);
        call.loops.clear();
        if is_found {
            self.progress.go_on(self.present_step());
        }
    }

    /// What an open attempt of a call may do.
    pub(crate) fn show(&self, id: u64, attempt: &Attempt, call: &Call, decision: &mut Decision) {
        let amounts = &attempt.reserved;
        decision.attempt = Some(id);
        decision.attempt_number = Some(attempt.number);
        decision.wrap_up = !attempt.wrap_ups().is_empty();
        decision.reserved_tokens = amounts.charge.tokens;
        decision.reserved_cost = amounts.charge.cost;
        let timeout = match amounts.subject {
            Subject::Model(model) => {
                decision.model = Some(model);
                decision.output_cap = Some(attempt.cap);
                None
            }
            Subject::Tool(tool, _) => self.program.tables.tools.at(tool).timeout_ns,
            Subject::Person => None,
        };
        let own = self.call_time_left(call, amounts.subject);
        decision.timeout_ns = least(least(timeout, own), self.time_left());
    }
}

/// The lesser of two bounds, if there is one.
pub(super) const fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one < other { one } else { other }),
        (Some(bound), None) | (None, Some(bound)) => Some(bound),
        (None, None) => None,
    }
}
