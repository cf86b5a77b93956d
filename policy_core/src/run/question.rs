//! One question to the policy, and how statements vote on it. Nothing here changes the run.

use std::cell::{OnceCell, RefCell};

use super::Run;
use super::accounts::Asking;
use super::amounts::Amounts;
use super::asking::reject;
use super::call::Call;
use super::escalate::Standing;
use crate::books::{AccountId, Books};
use crate::decision::{BuiltIn, Outcome, Vote};
use crate::facts::{CallFacts, ErrorFacts, Sent, View};
use crate::fingerprint::Binding;
use crate::health::{Barred, Ticket};
use crate::program::{AskFor, Program, Tool, Verdict};
use crate::value::{Truth, Value};
use crate::vm::evaluate;

/// A call that is asked about, with all that conditions may read.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) run: &'a Run,
    pub(crate) program: &'a Program,
    pub(crate) books: &'a Books,
    pub(crate) id: u64,
    pub(crate) call: &'a Call,
    pub(crate) sent: Sent<'a>,
    pub(crate) error: Option<&'a ErrorFacts<'a>>,
    /// The tool; `None` for a model.
    pub(crate) tool: Option<&'a Tool>,
    /// The tool's canonical arguments, if an answer about them is for every equal call.
    pub(crate) args: Option<&'a [u8]>,
    /// They hold a number that not everybody reads alike, so nobody is asked about them.
    pub(crate) is_unsafe: bool,
    /// Hashed only if somebody may have to be asked.
    pub(super) binding: OnceCell<Binding>,
    /// What observed statements would have said, and of how many of them the texts are known.
    pub(super) would: RefCell<(Vec<Vote>, usize)>,
}

/// What is said against a call.
#[derive(Debug)]
pub(crate) enum Objection {
    /// By statements.
    Votes(Finding),
    /// By the engine itself.
    BuiltIn(BuiltIn),
    /// The engine asks for patience: only holds or leases are in the way. These are what to ask the store
    /// for.
    Wait(BuiltIn, Vec<(AccountId, u64)>),
}

/// What the policy says to a question: nothing against it, or what. A word, since most calls pass.
pub(crate) type Ruling<T = ()> = Result<T, Box<Objection>>;

impl Objection {
    /// The same, with for how long breakers are in the way.
    pub(crate) fn again(mut self: Box<Self>, again: Option<Barred>) -> Box<Self> {
        if let Self::Votes(finding) = &mut *self {
            finding.again = again;
        }
        self
    }
}

/// Votes in their order, what the condition of the first one read, and the entries of accounts in the way.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    pub(crate) votes: Vec<Vote>,
    pub(crate) values: Vec<(u32, Value)>,
    pub(crate) ways: Vec<u32>,
    /// What the first one says, if it gives an answer.
    pub(crate) text: Option<Box<str>>,
    /// The attempt whose result it hands back, if it does.
    pub(crate) reused: Option<u64>,
    /// For how long breakers are in the way.
    pub(crate) again: Option<Barred>,
    /// What an answer to the first vote is for.
    pub(crate) binding: Option<Binding>,
}

/// What a call may run on, and what it reserves: filled in on the way, and of no meaning if something is said
/// against the call.
#[derive(Debug)]
pub(crate) struct Clearance {
    pub(crate) subject: u32,
    pub(crate) cap: u64,
    pub(crate) amounts: Amounts,
    pub(crate) has_next: bool,
    /// The cascade that its result is asked about, by its place among the route's arms.
    pub(crate) cascade: Option<u32>,
    /// What few calls have.
    pub(crate) besides: Option<Box<Besides>>,
}

/// What few calls have with their clearance.
#[derive(Debug, Default)]
pub(crate) struct Besides {
    /// The wrapping up that it counts as.
    pub(crate) wrap_ups: Vec<AccountId>,
    /// The circuits that it passed.
    pub(crate) tickets: Vec<Ticket>,
    /// What approvals of it are bound to, if there are any.
    pub(crate) bindings: Vec<Binding>,
}

impl Clearance {
    pub(crate) const fn new() -> Self {
        Self { subject: 0, cap: 0, amounts: Amounts::REQUEST, has_next: false, cascade: None, besides: None }
    }
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        (run, books): (&'a Run, &'a Books),
        program: &'a Program,
        id: u64,
        call: &'a Call,
        sent: Sent<'a>,
    ) -> Self {
        Self {
            run,
            program,
            books,
            id,
            call,
            sent,
            error: None,
            tool: None,
            args: None,
            is_unsafe: false,
            binding: OnceCell::new(),
            would: RefCell::default(),
        }
    }

    /// How accounts are looked at now, with the wrapping up of these given up.
    pub(crate) fn asking<'b>(&self, lifted: &'b [AccountId]) -> Asking<'b>
    where
        'a: 'b,
    {
        Asking { books: self.books, now: self.run.latest, lifted }
    }

    /// The facts as statements on a call of this attempt see them; `model` is the one they are on, if they
    /// name one.
    pub(crate) fn view(&self, attempt: u64, model: Option<u32>) -> View<'a> {
        let named = model.map(|model| self.program.tables.models.at(model));
        let model = model.or(self.call.requested);
        let (input_tokens, most_output) = (self.call.input_tokens, self.call.max_output);
        View {
            program: self.program,
            run: self.run,
            books: self.books,
            sent: self.sent,
            call: CallFacts { attempt, model, named, tool: self.tool, input_tokens, most_output },
            error: self.error,
        }
    }

    /// The truth of a condition; none is always true.
    #[inline]
    pub(crate) fn truth(&self, when: Option<u32>, view: &View<'_>) -> Truth {
        when.map_or(Truth::True, |when| evaluate(self.program.tables.conditions.at(when), view))
    }

    /// The votes of limits whose time is over.
    #[inline]
    pub(crate) fn vote_time(&self, votes: &mut Vec<Vote>) {
        if !self.run.fits_time(0) || self.program.index.observes_time {
            self.vote_elapsed(votes);
        }
    }

    #[cold]
    fn vote_elapsed(&self, votes: &mut Vec<Vote>) {
        for (index, limit) in self.program.tables.limits.numbered() {
            let is_over = |measure, max| self.run.longest_time(measure).is_some_and(|elapsed| elapsed >= max);
            if limit.bounds.iter().any(|bound| is_over(bound.measure, bound.max)) {
                self.vote_limit(index, &[], votes);
            }
        }
    }

    /// The vote of the truth about a conversation with these tool results.
    pub(crate) fn vote_truth(&self, results: Option<&[[u64; 2]]>, votes: &mut Vec<Vote>) {
        let Some(truth) = &self.program.tables.truth else { return };
        let is_true = results.is_some_and(|results| {
            let memory = self.run.family.look();
            results.iter().all(|either| either.iter().any(|mark| memory.given.knows(*mark)))
        });
        if !is_true {
            self.vote(truth.statement, truth.verdict, results.is_none(), votes);
        }
    }

    /// The votes of loops. What one found at the first ask stands: other verdicts than escalate have closed
    /// the call.
    pub(crate) fn vote_loops(&self, votes: &mut Vec<Vote>) {
        for &index in &self.call.loops {
            let found = self.program.tables.loops.at(index);
            self.vote(found.statement, found.verdict, false, votes);
        }
    }

    /// The votes of loops that are found at a model call: by the steps before it, or by these messages. What
    /// a prompt repeats cannot be told without them.
    pub(crate) fn vote_model_loops(&self, messages: Option<&[(u64, u64)]>, votes: &mut Vec<Vote>) {
        if self.program.index.loops.of_models.is_empty() {
            return;
        }
        let compared = messages.filter(|_| self.program.compares_context());
        let share = compared.map(|messages| self.run.family.look().context.share(messages));
        for &index in &self.program.index.loops.of_models {
            let each = self.program.tables.loops.at(index);
            let is_idle = self.call.loops.contains(&index);
            let repeats = |least| share.is_none_or(|share| share.reaches(least));
            if is_idle || each.repeated_context.is_some_and(repeats) {
                self.vote(each.statement, each.verdict, !is_idle && share.is_none(), votes);
            }
        }
    }

    /// The votes of the limits that these entries are of.
    pub(crate) fn vote_limits(&self, ways: &[u32], votes: &mut Vec<Vote>) {
        let limit = |place: &u32| self.run.accounts.limit(*place);
        let mut limits: Vec<u32> = ways.iter().filter_map(limit).collect();
        limits.sort_unstable();
        limits.dedup();
        for index in limits {
            let own: Vec<u32> = ways.iter().copied().filter(|place| limit(place) == Some(index)).collect();
            self.vote_limit(index, &own, votes);
        }
    }

    /// The vote of a limit with these entries in the way. It asks a person for more where that would help.
    pub(super) fn vote_limit(&self, index: u32, ways: &[u32], votes: &mut Vec<Vote>) {
        let limit = self.program.tables.limits.at(index);
        let accounts = &self.run.accounts;
        let is_missing = ways.iter().any(|place| accounts.account(*place).is_none());
        let Verdict::Escalate(queue, _) = limit.verdict else {
            return self.vote(limit.statement, limit.verdict, is_missing, votes);
        };
        if is_missing {
            return self.vote(limit.statement, Verdict::Deny, true, votes);
        }
        let table = self.program.tables.queues.at(queue);
        let granted = limit.granted(table);
        let times = table.grants.map_or(0, |grants| grants.times);
        let has_left = |account: AccountId| self.books.grants_left(account, times, self.run.latest) > 0;
        let helps = !ways.is_empty()
            && ways.iter().all(|place| {
                let measure = accounts.entry(*place).map(|entry| entry.measure);
                granted == measure && accounts.account(*place).is_some_and(has_left)
            });
        let mut vote = vote_of(limit.statement, Outcome::Escalate);
        match self.run.requests.standing(limit.statement, Binding::Call(self.id), self.run.age.now()) {
            Standing::Rejected => reject(&mut vote),
            Standing::Expired => self.take_default(queue, &mut vote),
            _ if helps => vote.queue = Some(queue),
            _ => self.take_default(queue, &mut vote),
        }
        self.cast(vote, votes);
    }

    /// One statement's vote; none if a person has approved of this call. That of an observed one is none.
    pub(crate) fn vote(&self, statement: u32, verdict: Verdict, undecided: bool, votes: &mut Vec<Vote>) {
        let mut vote = Vote { undecided, ..vote_of(statement, verdict.outcome()) };
        match verdict {
            Verdict::Stop(state) | Verdict::Fail(state) => vote.state = Some(state),
            Verdict::Deny => {}
            Verdict::Answer(template) => {
                vote.template = Some(template);
                // A tool has no text of its own to give: what the answer says is why it is denied.
                if self.tool.is_some() {
                    vote.outcome = Outcome::Deny;
                }
            }
            Verdict::Reuse if self.known().is_none() => vote.outcome = Outcome::Deny,
            Verdict::Reuse => {}
            Verdict::Escalate(queue, wants) => {
                if !self.escalate(queue, wants, &mut vote) {
                    return;
                }
            }
        }
        self.cast(vote, votes);
    }

    /// The attempt with the latest result of this very call, if nothing has changed since.
    pub(super) fn known(&self) -> Option<u64> {
        let found = self.run.known.of(self.call.exact?)?;
        found.is_fresh(&self.run.family.look().changes).then_some(found.attempt)
    }

    /// What the votes for an answer come to: one whose text cannot be told denies.
    pub(crate) fn fill(&self, view: &View<'_>, votes: &mut [Vote]) {
        for vote in votes {
            if vote.template.is_some() && self.text(view, vote).is_none() {
                *vote = Vote { undecided: true, ..vote_of(vote.statement, Outcome::Deny) };
            }
        }
    }

    /// What a vote says, if it gives an answer; a retry on a model that it names sees that model.
    pub(crate) fn text(&self, view: &View<'_>, vote: &Vote) -> Option<Box<str>> {
        let template = self.program.tables.templates.at(vote.template?);
        template.text(self.retry_view(vote.statement, view.call.attempt).as_ref().unwrap_or(view))
    }

    /// What follows from votes; nothing if nobody voted.
    #[inline(always)]
    pub(crate) fn rule(&self, view: &View<'_>, votes: Vec<Vote>) -> Ruling {
        self.fill_observed(view);
        if votes.is_empty() { Ok(()) } else { self.rule_by(view, votes, Vec::new()) }
    }

    /// The same of votes about these entries of accounts.
    #[inline(never)]
    pub(crate) fn rule_by(&self, view: &View<'_>, mut votes: Vec<Vote>, ways: Vec<u32>) -> Ruling {
        self.fill(view, &mut votes);
        sort(&mut votes);
        let Some(&first) = votes.first() else { return Ok(()) };
        if first.outcome == Outcome::Escalate && self.opens_request(&first) {
            let mut obstacles = self.run.accounts.obstacles(&Amounts::REQUEST, &self.asking(&[]));
            self.wait(&mut obstacles)?;
            // Nobody can be asked, so those who bound the asking do not ask either.
            let limits = obstacles.ways.iter().filter_map(|place| self.run.accounts.entry(*place)?.limit);
            let mut limits: Vec<u32> = limits.collect();
            limits.dedup();
            if limits.is_empty() {
                self.observe_limits(view, &Amounts::REQUEST, |_| false);
            }
            for &index in &limits {
                let is_missing = |place: &&u32| {
                    let accounts = &self.run.accounts;
                    accounts.limit(**place) == Some(index) && accounts.account(**place).is_none()
                };
                let missing: Vec<u32> = obstacles.ways.iter().filter(is_missing).copied().collect();
                self.vote_limit(index, &missing, &mut votes);
            }
            self.fill(view, &mut votes);
            sort(&mut votes);
            // What they say stands in the place of the question, also where it restricts less.
            let asks = |vote: &Vote| vote.outcome == Outcome::Escalate && self.opens_request(vote);
            if !limits.is_empty() && votes.first().is_some_and(asks) {
                votes.retain(|vote| !asks(vote));
            }
        }
        let Some(first) = votes.first() else { return Ok(()) };
        let named = self.retry_view(first.statement, view.call.attempt);
        let values = self.values(named.as_ref().unwrap_or(view), first.statement);
        let text = self.text(view, first);
        let reused = if first.outcome == Outcome::Reuse { self.known() } else { None };
        let binding = Some(self.binding_of(first));
        let finding = Finding { votes, values, ways, text, reused, again: None, binding };
        Err(Box::new(Objection::Votes(finding)))
    }

    /// What a statement's condition reads, or what an order compared.
    pub(crate) fn values(&self, view: &View<'_>, statement: u32) -> Vec<(u32, Value)> {
        let condition = self.program.index.condition_of.get(statement as usize).copied().flatten();
        match condition {
            Some(index) => view.values(self.program.tables.conditions.at(index)),
            None => self.compared(view, statement),
        }
    }
}

pub(crate) const fn vote_of(statement: u32, outcome: Outcome) -> Vote {
    Vote {
        statement,
        outcome,
        state: None,
        queue: None,
        wants: AskFor::Approval,
        template: None,
        undecided: false,
        rejected: false,
        request: None,
    }
}

/// The most restrictive vote first, then by statement.
pub(crate) fn sort(votes: &mut [Vote]) {
    votes.sort_by(|left, right| {
        right.outcome.cmp(&left.outcome).then_with(|| left.statement.cmp(&right.statement))
    });
}
