//! A run with its books, so that tests tell events by the monotonic clock alone.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use policy_core::books::Books;
use policy_core::{
    Advice, AskFor, Asked, By, Decision, EngineError, Event, Failure, Health, ModelCall, Now, Outcome,
    Program, Reading, Reply, Returned, Scopes, Settlement, State, ToolCall, Usage, Value, Vote, Why,
};

/// Books that runs may share.
pub type Desk = Rc<RefCell<Books>>;

/// Books of this process alone.
pub fn books() -> Desk {
    Rc::new(RefCell::new(Books::local()))
}

/// A place that is lent to the engine, full of what an earlier decision has left.
pub fn stale() -> Decision {
    let vote = Vote {
        statement: 9,
        outcome: Outcome::Stop,
        state: Some(9),
        queue: Some(9),
        template: Some(9),
        wants: AskFor::Text,
        undecided: true,
        rejected: true,
        request: Some(9),
    };
    Decision {
        number: 99,
        event: Event::ToolError,
        outcome: Outcome::Stop,
        call: Some(99),
        attempt: Some(99),
        attempt_number: Some(99),
        model: Some(99),
        output_cap: Some(99),
        timeout_ns: Some(99),
        wait_ns: Some(99),
        may_be_sooner: true,
        state: Some(99),
        text: Some("stale".into()),
        template: Some(99),
        reused: Some(99),
        by: By::Statement(99),
        undecided: true,
        latched: true,
        rejected: true,
        wrap_up: true,
        stayed: true,
        asked: Some(Asked { request: 99, queue: 9, wants: AskFor::Text, expires_at: 99 }),
        answered: Some(99),
        reserved_tokens: 99,
        reserved_cost: 99,
        votes: vec![vote],
        would: vec![vote],
        advice: vec![Advice { limit: 9, threshold: 9 }],
        values: vec![(9, Value::Int(9))],
        skipped: vec![9],
        passed: vec![(9, Why::Window)],
    }
}

/// A run, its books, and how far the wall clock is ahead of the other one.
#[derive(Debug)]
pub struct Run {
    pub inner: policy_core::Run,
    pub books: Desk,
    pub ahead: u64,
    /// How what this process calls fares.
    pub health: Health,
    /// How far this process's clock is ahead of the first one's.
    shift: i128,
}

impl Run {
    pub fn new(program: Arc<Program>, seed: u64, now: u64) -> Self {
        Self::open(program, seed, now, &Scopes::default(), None, &books())
    }

    pub fn open(
        program: Arc<Program>,
        seed: u64,
        now: u64,
        scopes: &Scopes<'_>,
        parent: Option<&Self>,
        books: &Desk,
    ) -> Self {
        let at = Now { mono: now, wall: now };
        let health = parent.map(|parent| parent.health.clone()).unwrap_or_default();
        let parent = parent.map(|parent| &parent.inner);
        let inner = policy_core::Run::new(program, seed, at, scopes, parent, &mut books.borrow_mut());
        Self { inner, books: Rc::clone(books), ahead: 0, health: Health::default(), shift: 0 }
            .watching(&health)
    }

    /// The same, with this health in common with others.
    pub fn watching(mut self, health: &Health) -> Self {
        self.inner = self.inner.watching(health);
        self.health = health.clone();
        self
    }

    pub fn child(&self, now: u64) -> Self {
        Self::open(Arc::clone(self.program()), 9, now, &Scopes::default(), Some(self), &self.books)
    }

    /// Suspends the run and lets it go on so much later by a clock that shows `next`. Events and answers are
    /// told by the first clock all the same.
    pub fn moved(&mut self, now: u64, keep: &[u64], scopes: &Scopes<'_>, (later, next): (u64, u64)) {
        let mut books = self.books.borrow_mut();
        let state = self.inner.suspend(self.at(now), keep, &mut books).expect("it goes on");
        self.inner.release(&mut books);
        let now = now + later;
        self.shift = i128::from(next) - i128::from(now);
        let program = Arc::clone(self.inner.program());
        let resumed = policy_core::Run::resume(program, &state, (self.at(now), later), scopes, &mut books);
        self.inner = resumed.expect("what it left").watching(&self.health);
    }

    fn at(&self, now: u64) -> Now {
        let mono = i128::from(now) + self.shift;
        Now { mono: mono.try_into().expect("an instant"), wall: now.saturating_add(self.ahead) }
    }

    /// A decision by the first clock.
    fn told(&self, decision: Result<Decision, EngineError>) -> Result<Decision, EngineError> {
        let mut decision = decision?;
        if let Some(asked) = &mut decision.asked {
            let expires_at = i128::from(asked.expires_at) - self.shift;
            asked.expires_at = expires_at.try_into().expect("an instant");
        }
        Ok(decision)
    }

    pub fn program(&self) -> &Arc<Program> {
        self.inner.program()
    }

    pub fn in_flight(&self) -> u64 {
        self.inner.in_flight()
    }

    pub fn latched(&self) -> Option<&State> {
        self.inner.latched()
    }

    pub fn limits(&self) -> Vec<Reading> {
        self.inner.limits(&self.books.borrow())
    }

    /// What each bound has spent and holds.
    pub fn used(&self) -> Vec<(u64, u64)> {
        self.limits().iter().map(|reading| (reading.spent, reading.held)).collect()
    }

    pub fn model_call(&mut self, now: u64, event: &ModelCall<'_>) -> Result<Decision, EngineError> {
        let mut decision = stale();
        let decided = self.inner.model_call(self.at(now), event, &mut self.books.borrow_mut(), &mut decision);
        let decision = decided.map(|()| decision);
        self.told(decision)
    }

    pub fn tool_call(&mut self, now: u64, event: &ToolCall<'_>) -> Result<Decision, EngineError> {
        let mut decision = stale();
        let decided = self.inner.tool_call(self.at(now), event, &mut self.books.borrow_mut(), &mut decision);
        let decision = decided.map(|()| decision);
        self.told(decision)
    }

    pub fn error(&mut self, now: u64, failure: &Failure<'_>) -> Result<Decision, EngineError> {
        let decision = self.inner.error(self.at(now), failure, &mut self.books.borrow_mut());
        self.told(decision)
    }

    pub fn settle(&mut self, now: u64, attempt: u64, usage: Usage) -> Result<Settlement, EngineError> {
        self.inner.settle(self.at(now), attempt, usage, &mut self.books.borrow_mut())
    }

    pub fn result(&mut self, now: u64, returned: &Returned<'_>) -> Result<Decision, EngineError> {
        self.inner.result(self.at(now), returned, &mut self.books.borrow_mut())
    }

    pub fn adjust(&mut self, now: u64, attempt: u64, usage: Usage) -> Result<Settlement, EngineError> {
        self.inner.adjust(self.at(now), attempt, usage, &mut self.books.borrow_mut())
    }

    pub fn answer(&mut self, now: u64, request: u64, approve: bool) -> Result<(), EngineError> {
        self.reply(now, Reply { request, approve, ago: 0, bound: None })
    }

    pub fn reply(&mut self, now: u64, reply: Reply) -> Result<(), EngineError> {
        self.inner.answer(self.at(now), &reply, &mut self.books.borrow_mut())
    }

    pub fn count(&mut self, now: u64, attempt: u64, tokens: u64) -> Result<u64, EngineError> {
        self.inner.count(self.at(now), attempt, tokens)
    }

    pub fn end(&mut self, now: u64) {
        self.inner.end(self.at(now), &mut self.books.borrow_mut());
    }

    pub fn release(&mut self) {
        self.inner.release(&mut self.books.borrow_mut());
    }
}
