//! What a run asks about the health of what it calls, and what it tells about it.

use super::amounts::Subject;
use super::call::Attempt;
use super::question::{Question, vote_of};
use super::settle::Fate;
use crate::books::Books;
use crate::decision::{Outcome, Vote};
use crate::event::{ErrorKind, Usage};
use crate::health::{Ending, Place, Ticket};
use crate::program::{Program, Retry};

/// Breakers that are in the way of a call, and after how long the last of them may let it pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tripped {
    /// By statement.
    pub(crate) statements: Vec<u32>,
    pub(crate) again: Option<u64>,
}

impl Question<'_> {
    /// What is in the way of a call of this model or tool.
    pub(crate) fn tripped(&self, subject: Subject) -> Tripped {
        let mut tripped = Tripped::default();
        let (program, now) = (self.program, self.run.latest.mono);
        each_place(program, subject, |place| {
            let breaker = program.tables.breakers.at(place.0);
            let wait = self.books.health.barred(program.meaning(), place, &breaker.terms, now);
            if let Some(wait) = wait {
                tripped.statements.push(breaker.statement);
                tripped.again = tripped.again.max(Some(wait));
            }
        });
        tripped.statements.sort_unstable();
        tripped
    }

    /// Whether a retry statement's share has room for one more attempt.
    pub(crate) fn has_share(&self, index: u32, retry: &Retry) -> bool {
        let (meaning, now) = (self.program.meaning(), self.run.latest.mono);
        retry.share.is_none_or(|terms| self.books.health.has_share(meaning, index, &terms, now))
    }
}

/// A call is denied while a breaker is open.
pub(crate) fn vote_tripped(statements: &[u32], votes: &mut Vec<Vote>) {
    votes.extend(statements.iter().map(|statement| vote_of(*statement, Outcome::Deny)));
}

/// An attempt begins: circuits let it pass, and the shares of retries count it.
pub(crate) fn admit(program: &Program, subject: Subject, books: &mut Books, now: u64) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    each_place(program, subject, |place| {
        let terms = &program.tables.breakers.at(place.0).terms;
        tickets.push(books.health.admit(program.meaning(), place, terms, now));
    });
    let all = &program.index.retries;
    let mut count = |index: u32| {
        if let Some(terms) = program.tables.retries.at(index).share {
            books.health.count(program.meaning(), index, &terms, (false, now));
        }
    };
    match subject {
        Subject::Model(model) => all.of_model(model).for_each(&mut count),
        Subject::Tool(tool, class) => all.of_tool(tool, class).for_each(&mut count),
        Subject::Person => {}
    }
    tickets
}

/// A decision to wait for another attempt was taken: the statements that voted for it brought a retry.
pub(crate) fn count_retries(program: &Program, votes: &[Vote], books: &mut Books, now: u64) {
    for (index, retry) in program.tables.retries.numbered() {
        let voted = |vote: &Vote| vote.statement == retry.statement && vote.outcome == Outcome::Wait;
        if let Some(terms) = retry.share.filter(|_| votes.iter().any(voted)) {
            books.health.count(program.meaning(), index, &terms, (true, now));
        }
    }
}

/// An attempt has ended like this, or is left.
pub(crate) fn conclude(program: &Program, attempt: &mut Attempt, fate: Fate, books: &mut Books, now: u64) {
    let is_unsent = attempt.settled == Some(Usage::Unsent) && fate == Fate::Settled;
    let ending = if is_unsent { Ending::Untold } else { fate.ending(attempt.reserved.is_tool()) };
    for ticket in std::mem::take(&mut attempt.tickets) {
        let terms = &program.tables.breakers.at(ticket.place.0).terms;
        books.health.conclude(program.meaning(), ticket, terms, (ending, now));
    }
}

impl Fate {
    /// What it says about the model or the tool: only what may be its own fault speaks against it.
    const fn ending(self, is_tool: bool) -> Ending {
        match self {
            Self::Settled => Ending::Succeeded,
            Self::Failed(ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Unavailable) => {
                Ending::Failed
            }
            Self::Failed(ErrorKind::ToolFailure) if is_tool => Ending::Failed,
            Self::Failed(_) | Self::CutShort | Self::Left => Ending::Untold,
        }
    }
}

/// Does it for every circuit that calls of this model or tool pass.
fn each_place(program: &Program, subject: Subject, act: impl FnMut(Place)) {
    if program.tables.breakers.all().is_empty() {
        return;
    }
    match subject {
        Subject::Model(model) => program.index.breakers.of_model(model).for_each(act),
        Subject::Tool(tool, class) => program.index.breakers.of_tool(tool, class).for_each(act),
        Subject::Person => {}
    }
}
