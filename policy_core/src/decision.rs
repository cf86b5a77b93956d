//! What the engine answers: one decision for each event that asks for one.
//!
//! Names are indexes into the program's tables ([`crate::Program`]); a plain allow allocates nothing.

use crate::program::{AskFor, Program};
use crate::value::Value;

/// Which event a decision answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A model call was asked for.
    ModelCall,
    /// A tool call was asked for.
    ToolCall,
    /// A model's attempt came back.
    ModelResult,
    /// A tool's attempt came back.
    ToolResult,
    /// A model's attempt failed.
    ModelError,
    /// A tool's attempt failed.
    ToolError,
}

impl Event {
    /// The words for records and hosts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelCall => "model call",
            Self::ToolCall => "tool call",
            Self::ModelResult => "model result",
            Self::ToolResult => "tool result",
            Self::ModelError => "model error",
            Self::ToolError => "tool error",
        }
    }
}

/// The closed set of outcomes, from the least to the most restrictive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Run it; for a result: take it; for an error: pass it on unchanged.
    Allow,
    /// Give the known result of the same call.
    Reuse,
    /// Give a text instead of the model's; nothing is sent.
    Answer,
    /// Ask again after the delay.
    Wait,
    /// Ask again after a person has answered.
    Escalate,
    /// Do not run this call; the run goes on.
    #[default]
    Deny,
    /// Give this call up, in a declared state.
    Fail,
    /// End the run, in a declared state. Latched.
    Stop,
}

impl Outcome {
    /// The word that policies and records use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Reuse => "reuse",
            Self::Answer => "answer",
            Self::Wait => "wait",
            Self::Escalate => "escalate",
            Self::Deny => "deny",
            Self::Fail => "fail",
            Self::Stop => "stop",
        }
    }
}

/// A reason of the engine's own, not of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// The tool is not in the policy.
    UndeclaredTool,
    /// The model is not in the policy.
    UndeclaredModel,
    /// The route names no model for this call, and neither does the host.
    NoCandidate,
    /// Every candidate's window is too small.
    NoUsableModel,
    /// The call asked again is unknown, in flight or over.
    ClosedCall,
    /// The call asked again is not the one that was asked first.
    ChangedCall,
    /// The host has ended the run.
    RunEnded,
    /// Only holds in flight are in the way.
    Holds,
    /// Only what the store has not leased yet is in the way.
    Lease,
    /// No retry statement applies; the error is passed on.
    NotRetried,
    /// A tool came back, but not with what it succeeds by, and no retry statement applies.
    IncompleteResult,
}

impl BuiltIn {
    /// The text for records and hosts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UndeclaredTool => "undeclared tool",
            Self::UndeclaredModel => "undeclared model",
            Self::NoCandidate => "no candidate",
            Self::NoUsableModel => "no usable model",
            Self::ClosedCall => "closed call",
            Self::ChangedCall => "changed call",
            Self::RunEnded => "run ended",
            Self::Holds => "holds",
            Self::Lease => "lease",
            Self::NotRetried => "not retried",
            Self::IncompleteResult => "incomplete result",
        }
    }
}

/// Who decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Nobody objected: a plain allow.
    #[default]
    Nobody,
    /// A statement, by its index in [`crate::Program::statements`].
    Statement(u32),
    /// The engine itself.
    BuiltIn(BuiltIn),
}

/// One statement's say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The statement's index in [`crate::Program::statements`].
    pub statement: u32,
    /// What it asks for.
    pub outcome: Outcome,
    /// The state of a stop or fail, an index into [`crate::Program::states`].
    pub state: Option<u32>,
    /// The queue of an escalation, an index into [`crate::Program::queues`].
    pub queue: Option<u32>,
    /// The text of an answer, or of a denial that gives it as its reason, an index into
    /// [`crate::Program::templates`].
    pub template: Option<u32>,
    /// What the queue is asked for.
    pub wants: AskFor,
    /// Its condition could not be decided, so it votes its own outcome.
    pub undecided: bool,
    /// A person has said no; the escalation became a denial.
    pub rejected: bool,
    /// The request whose answer this is: a text, or that a person takes the task over.
    pub request: Option<u64>,
}

/// Why a model that could serve a call was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The input and the model's least output exceed its window.
    Window,
    /// A statement is in the way: a requirement that the model does not meet, or a limit that its worst case
    /// does not fit. An index into [`crate::Program::statements`].
    Statement(u32),
}

/// An open request to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The id to answer with.
    pub request: u64,
    /// The queue, an index into [`crate::Program::queues`].
    pub queue: u32,
    /// What the person is asked for.
    pub wants: AskFor,
    /// The last moment at which it may be answered, in nanoseconds of the host's monotonic clock.
    pub expires_at: u64,
}

/// A soft threshold that was reached, given once a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// An index into [`crate::Program::limits`].
    pub limit: u32,
    /// An index into that limit's thresholds.
    pub threshold: u32,
}

/// What the engine decided about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// 1, 2, 3, ... within the run.
    pub number: u64,
    /// The event it answers.
    pub event: Event,
    /// What the host has to do.
    pub outcome: Outcome,
    /// The logical call; `None` if none was opened (a latched or ended run).
    pub call: Option<u64>,
    /// The attempt that an allow opens, a token for one use.
    pub attempt: Option<u64>,
    /// 1 for the first attempt of this call on this model or tool: of the attempt that an allow opens, or
    /// of the one that failed.
    pub attempt_number: Option<u64>,
    /// The model that may run, or that failed, an index into [`crate::Program::models`].
    pub model: Option<u32>,
    /// The most tokens that may come back; only with `attempt` and a model.
    pub output_cap: Option<u64>,
    /// How long the attempt may take, in nanoseconds.
    pub timeout_ns: Option<u64>,
    /// How long to wait, in nanoseconds: for a wait, or before a call that a breaker denied may pass.
    pub wait_ns: Option<u64>,
    /// That wait may be over sooner: others try whether what a breaker looks at fares well again.
    pub may_be_sooner: bool,
    /// The state of a stop or fail, an index into [`crate::Program::states`].
    pub state: Option<u32>,
    /// What an answer says, or why a denial is one; with `template`.
    pub text: Option<Box<str>>,
    /// What that was made from, an index into [`crate::Program::templates`].
    pub template: Option<u32>,
    /// The attempt whose result is to be given; only for a reuse.
    pub reused: Option<u64>,
    /// Who decided.
    pub by: By,
    /// The deciding statement could not decide its condition.
    pub undecided: bool,
    /// The run had stopped before; this repeats that stop.
    pub latched: bool,
    /// A person has said no.
    pub rejected: bool,
    /// The attempt takes what limits keep for wrapping up: it is among the last.
    pub wrap_up: bool,
    /// The model is the one that served before, not the route's first: a switch would not pay, or the first
    /// had failed then.
    pub stayed: bool,
    /// The request to answer; only for an escalation.
    pub asked: Option<Asked>,
    /// The request whose text the call ends with, or whose person takes the task over: a stop without a
    /// state.
    pub answered: Option<u64>,
    /// Tokens held for the attempt.
    pub reserved_tokens: u64,
    /// Nano-units of the currency held for the attempt.
    pub reserved_cost: u64,
    /// Every say, the most restrictive first, then by statement name and kind.
    pub votes: Vec<Vote>,
    /// What observed statements would have said, each once, in the same order.
    pub would: Vec<Vote>,
    /// Soft thresholds reached now.
    pub advice: Vec<Advice>,
    /// What the deciding statement's condition read: fact indexes and values, in the order of first reading.
    pub values: Vec<(u32, Value)>,
    /// Models of route arms that could not be decided, indexes into [`crate::Program::models`].
    pub skipped: Vec<u32>,
    /// The candidates before the one that decided, or all if none could run: indexes into
    /// [`crate::Program::models`], with every reason against each.
    pub passed: Vec<(u32, Why)>,
}

impl Decision {
    /// Room for one, lent to the engine: a denial of nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            number: 0,
            event: Event::ModelCall,
            outcome: Outcome::Deny,
            call: None,
            attempt: None,
            attempt_number: None,
            model: None,
            output_cap: None,
            timeout_ns: None,
            wait_ns: None,
            may_be_sooner: false,
            state: None,
            text: None,
            template: None,
            reused: None,
            by: By::Nobody,
            undecided: false,
            latched: false,
            rejected: false,
            wrap_up: false,
            stayed: false,
            asked: None,
            answered: None,
            reserved_tokens: 0,
            reserved_cost: 0,
            votes: Vec::new(),
            would: Vec::new(),
            advice: Vec::new(),
            values: Vec::new(),
            skipped: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// Becomes another one, undecided yet: a denial of nobody, so that a path that forgot to decide would
    /// deny. The room of its lists stays.
    pub(crate) fn renew(&mut self, latest: u64, at: Event, of: Option<u64>) {
        // Field by field, and all by name, so that none that comes later is forgotten.
        let Self {
            number,
            event,
            outcome,
            call,
            attempt,
            attempt_number,
            model,
            output_cap,
            timeout_ns,
            wait_ns,
            may_be_sooner,
            state,
            text,
            template,
            reused,
            by,
            undecided,
            latched,
            rejected,
            wrap_up,
            stayed,
            asked,
            answered,
            reserved_tokens,
            reserved_cost,
            votes,
            would,
            advice,
            values,
            skipped,
            passed,
        } = self;
        (*number, *event, *call, *outcome, *by) = (latest, at, of, Outcome::Deny, By::Nobody);
        (*attempt, *attempt_number, *model, *output_cap) = (None, None, None, None);
        (*timeout_ns, *wait_ns, *state, *text, *template) = (None, None, None, None, None);
        (*reused, *asked, *answered) = (None, None, None);
        (*may_be_sooner, *undecided, *latched) = (false, false, false);
        (*rejected, *wrap_up, *stayed) = (false, false, false);
        (*reserved_tokens, *reserved_cost) = (0, 0);
        votes.clear();
        would.clear();
        advice.clear();
        values.clear();
        skipped.clear();
        passed.clear();
    }

    /// An outcome of the engine's own.
    pub(crate) const fn built_in(&mut self, outcome: Outcome, reason: BuiltIn) {
        self.outcome = outcome;
        self.by = By::BuiltIn(reason);
    }

    /// A denial of the engine's own.
    pub(crate) const fn refuse(&mut self, reason: BuiltIn) {
        self.built_in(Outcome::Deny, reason);
    }

    /// What the agent is told about a refusal: the author's reason, or that a person said no.
    #[must_use]
    pub fn reason<'a>(&'a self, program: &'a Program) -> Option<&'a str> {
        if self.rejected {
            return Some("a person said no");
        }
        if self.outcome == Outcome::Deny && self.text.is_some() {
            return self.text.as_deref();
        }
        let By::Statement(statement) = self.by else { return None };
        if matches!(self.outcome, Outcome::Allow | Outcome::Wait) {
            return None;
        }
        program.statements().get(statement as usize)?.reason.as_deref()
    }
}

impl Default for Decision {
    fn default() -> Self {
        Self::new()
    }
}
