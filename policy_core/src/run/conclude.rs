//! What a ruling does to the run: attempts open, calls close, requests are made, stops latch.

use super::Run;
use super::amounts::{Amounts, Subject};
use super::call::{Attempt, Latch, Point};
use super::escalate::{Granting, Standing};
use super::meter::Produced;
use super::patience::{HOLDS_WAIT, LEASE_WAIT};
use super::question::{Clearance, Finding, Ruling};
use super::windows::Windows;
use crate::books::Books;
use crate::decision::{Asked, BuiltIn, By, Decision, Outcome, Vote};
use crate::fingerprint::Binding;
use crate::program::Program;

impl Run {
    /// Checks that a call asked again is open and `is_same`; refuses it otherwise, and leaves it as it is.
    pub(crate) fn reopen(
        &self,
        id: u64,
        decision: &mut Decision,
        is_same: impl Fn(Point) -> bool,
    ) -> Option<()> {
        match self.calls.get(id) {
            Some(call) if !call.in_flight && is_same(call.point) => Some(()),
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

    /// Does what was ruled on an open call.
    pub(crate) fn apply(
        &mut self,
        (program, books): (&Program, &mut Books),
        id: u64,
        ruling: Ruling,
        bindings: &[Binding],
        decision: &mut Decision,
    ) {
        decision.call = Some(id);
        match ruling {
            Ruling::Votes(finding) => self.conclude((program, books), id, *finding, decision),
            Ruling::BuiltIn(reason) => {
                decision.refuse(reason);
                self.calls.remove(id);
            }
            Ruling::Wait(reason, needs) => {
                let now = self.age.now();
                if let Some(call) = self.calls.get_mut(id) {
                    call.waiting.get_or_insert(now);
                }
                decision.built_in(Outcome::Wait, reason);
                decision.wait_ns = Some(if reason == BuiltIn::Lease { LEASE_WAIT } else { HOLDS_WAIT });
                needs.into_iter().for_each(|(account, amount)| books.need(account, amount));
            }
            Ruling::Clear(clearance) => self.allow(books, id, clearance, bindings, decision),
        }
    }

    /// The first vote decides.
    pub(crate) fn conclude(
        &mut self,
        (program, books): (&Program, &mut Books),
        id: u64,
        finding: Finding,
        decision: &mut Decision,
    ) {
        let Some(first) = finding.votes.first().copied() else { return };
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
            Outcome::Allow | Outcome::Wait => {}
            Outcome::Escalate => {
                decision.asked = self.ask((program, books), id, first, binding, &finding.ways);
                if let Some(call) = self.calls.get_mut(id) {
                    call.waiting = None;
                }
                // Nothing runs while a person thinks, so that time is not the agent's.
                self.lineage.pause();
            }
            Outcome::Answer => {
                self.go_on(id);
                self.calls.remove(id);
            }
            Outcome::Reuse | Outcome::Deny | Outcome::Fail => {
                self.calls.remove(id);
            }
            Outcome::Stop => {
                self.latch = Some(Latch { state: first.state, statement: first.statement });
                self.calls.remove(id);
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
            let entries = ways.iter().filter_map(|place| self.accounts.entry(*place));
            let own = entries.filter(|entry| entry.limit == Some(limit));
            Granting { accounts: own.filter_map(|entry| entry.account).collect(), grants }
        });
        let binding = if granting.is_some() { Binding::Call(id) } else { binding };
        let now = self.age.now();
        if self.requests.standing(vote.statement, binding, now) != Standing::Pending {
            self.accounts.take(&Amounts::REQUEST, books, self.latest, &mut Windows::default().begin());
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
    fn allow(
        &mut self,
        books: &mut Books,
        id: u64,
        clearance: Clearance,
        bindings: &[Binding],
        decision: &mut Decision,
    ) {
        self.go_on(id);
        let (now, begun, amounts) = (self.latest, self.age.now(), clearance.amounts);
        let Some(call) = self.calls.get_mut(id) else { return };
        for &binding in bindings {
            self.requests.consume(binding, self.age.now(), &mut call.grants);
        }
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
        self.fly(1, 0);
        self.begin_change(id, amounts.subject);
        let mut row = self.windows.begin();
        self.accounts.take(&amounts, books, now, &mut row);
        let windows = row.number();
        let wrap_up = |account| {
            let window = books.take(account, 1, now);
            books.settle(account, window, 1, 1, now);
            (account, window)
        };
        let wrap_ups = clearance.wrap_ups.into_iter().map(wrap_up).collect();
        self.attempts.push(Attempt {
            call: id,
            number,
            reserved: amounts,
            windows,
            wrap_ups,
            tickets: clearance.tickets,
            began: now.wall,
            cap: clearance.cap,
            produced: Produced::default(),
            settled: None,
        });

        decision.outcome = Outcome::Allow;
        if let (Some(attempt), Ok(number)) = (self.attempts.last(), u64::try_from(self.attempts.len())) {
            self.show(number, attempt, decision);
        }
    }

    /// A model call passes: if loops were found at it, a person has said so, and they look on from here.
    fn go_on(&mut self, id: u64) {
        let is_found = self.calls.get(id).is_some_and(|call| self.is_found(call));
        let Some(call) = self.calls.get_mut(id).filter(|call| call.point == Point::Model) else { return };
        call.loops.clear();
        if is_found {
            self.progress.go_on(self.present_step());
        }
    }

    /// What an open attempt may do.
    pub(crate) fn show(&self, id: u64, attempt: &Attempt, decision: &mut Decision) {
        let amounts = &attempt.reserved;
        decision.attempt = Some(id);
        decision.attempt_number = Some(attempt.number);
        decision.wrap_up = !attempt.wrap_ups.is_empty();
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
        let own = self.calls.get(attempt.call).and_then(|call| self.call_time_left(call, amounts.subject));
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
