//! One run: a queue of events, the processes, the network between them and the store.

use std::collections::{BTreeMap, BTreeSet};

use policy_core::store::{Reply, Request};

use crate::figures::Figures;
use crate::process::{Call, Process};
use crate::random::Random;
use crate::scenario::{Broken, MILLISECOND, SECOND, Scenario};
use crate::server::{Loss, Server};
use crate::shadow::Granted;
use crate::truth::Truth;

/// What is to happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Wake(usize),
    Ask(usize),
    Again(u64),
    Bill(u64),
    Settle(u64),
    Correct(u64),
    Arrive { process: usize, exchange: u64, sent: u64, request: Box<Request> },
    Answer { process: usize, exchange: u64, sent: u64, reply: Box<Reply> },
    Unanswered { process: usize, exchange: u64 },
    Adopt { process: usize, subject: usize },
    Reopen { process: usize, subject: usize },
    Resume(u64),
    Mishap,
    Mend,
    StoreUp { told: Option<Box<Loss>> },
    Recovered(Box<Loss>),
    Calm,
    Quit(usize),
    Finish,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) scenario: Scenario,
    pub(crate) broken: Broken,
    pub(crate) processes: Vec<Process>,
    pub(crate) server: Server,
    pub(crate) truth: Truth,
    pub(crate) calls: BTreeMap<u64, Call>,
    pub(crate) figures: Figures,
    pub(crate) is_calm: bool,
    /// Something was lost that conservation cannot account for to the unit.
    pub(crate) lossy: bool,
    pub(crate) trace: Option<Vec<String>>,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    finished: bool,
}

pub(crate) type Checked = Result<(), String>;

impl World {
    pub(crate) fn new(seed: u64, broken: Broken, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::new(&mut random);
        let now = scenario.start;
        let mut world = Self {
            now,
            random,
            broken,
            processes: Vec::new(),
            server: Server::new(now, scenario.relaxed, broken),
            truth: Truth::default(),
            calls: BTreeMap::new(),
            figures: Figures::default(),
            is_calm: false,
            lossy: false,
            trace: traced.then(Vec::new),
            events: BTreeMap::new(),
            count: 0,
            finished: false,
            scenario,
        };
        for _ in 0..world.scenario.processes {
            world.start_process();
        }
        let (first, end) = (world.scenario.calm, world.scenario.length);
        world.after(first, Event::Mishap);
        world.after(end, Event::Calm);
        world
    }

    /// Runs to the end, or to the first thing that must not be.
    pub(crate) fn run(&mut self) -> Checked {
        while !self.finished {
            let Some(((at, _), event)) = self.events.pop_first() else {
                return Err("nothing more happens".to_owned());
            };
            self.now = self.now.max(at);
            self.figures.steps += 1;
            self.handle(event)?;
        }
        Ok(())
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Keeps a line of the trace, if there is one.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let time = self.now - self.scenario.start;
            trace.push(format!("{:>4}.{:06} {}", time / SECOND, time % SECOND / 1000, text()));
        }
    }

    fn handle(&mut self, event: Event) -> Checked {
        match event {
            Event::Wake(process) => self.wake(process),
            Event::Ask(process) => self.ask(process),
            Event::Again(call) => self.attempt(call),
            Event::Bill(call) => self.bill(call),
            Event::Settle(call) => self.settle(call),
            Event::Correct(call) => self.correct(call),
            Event::Arrive { process, exchange, sent, request } => {
                self.arrive(process, exchange, sent, &request)
            }
            Event::Answer { process, exchange, sent, reply } => self.answer(process, exchange, sent, &reply),
            Event::Unanswered { process, exchange } => self.unanswered(process, exchange),
            Event::Adopt { process, subject } => self.adopt(process, subject),
            Event::Reopen { process, subject } => self.reopen(process, subject),
            Event::Resume(call) => self.resume(call),
            Event::Mishap => self.mishap(),
            Event::Mend => self.server.mend(),
            Event::StoreUp { told } => {
                self.server.up = true;
                if let Some(loss) = told {
                    self.recover(*loss);
                }
                Ok(())
            }
            Event::Recovered(loss) => {
                self.forgive(*loss);
                Ok(())
            }
            Event::Calm => self.calm(),
            Event::Quit(process) => self.quit(process),
            Event::Finish => {
                self.finished = true;
                self.judge()
            }
        }
    }

    // -- the network -------------------------------------------------------------------------------

    fn delay(&mut self) -> u64 {
        let late = !self.is_calm && self.random.chance(self.scenario.late);
        self.figures.late += u64::from(late);
        let most = if late { 2500 * MILLISECOND } else { 8 * MILLISECOND };
        self.random.between(MILLISECOND / 5, most)
    }

    /// How often a message arrives: not at all, once, or more often.
    fn copies(&mut self) -> u64 {
        if self.is_calm {
            return 1;
        }
        if self.random.chance(self.scenario.lost) {
            self.figures.lost += 1;
            return 0;
        }
        let repeated = self.random.chance(self.scenario.repeated);
        self.figures.repeated += u64::from(repeated);
        1 + u64::from(repeated)
    }

    pub(crate) fn send(&mut self, process: usize, request: &Request) {
        self.figures.requests += 1;
        let sender = &mut self.processes[process];
        sender.exchange += 1;
        sender.answered = false;
        let (exchange, sent) = (sender.exchange, self.now);
        self.note(|| format!("process {process} sends {}", brief(request)));
        for copy in 0..self.copies() {
            let delay = self.delay() + copy * self.random.below(2 * SECOND);
            let request = Box::new(request.clone());
            self.after(delay, Event::Arrive { process, exchange, sent, request });
        }
        if self.random.chance(500) {
            let wait = self.random.between(200, 1500) * MILLISECOND;
            self.after(wait, Event::Unanswered { process, exchange });
        }
    }

    fn arrive(&mut self, process: usize, exchange: u64, sent: u64, request: &Request) -> Checked {
        if !self.server.up || self.processes[process].cut_until > self.now {
            self.figures.lost += 1;
            return Ok(());
        }
        let nonce = self.random.next() | 1;
        let (reply, granted) = self
            .server
            .apply(request, self.now, nonce)
            .inspect_err(|_| self.note(|| format!("the store refuses: {}", brief(request))))?;
        self.note(|| format!("the store answers process {process}: {reply:?}"));
        self.figures.reassertions += u64::from(matches!(reply, Reply::Reassert { .. }));
        for (account, granted) in granted {
            let window = self.truth.window(&account, granted.window);
            window.allowed = window.allowed.max(granted.most);
        }
        for copy in 0..self.copies() {
            let delay = self.delay() + copy * self.random.below(2 * SECOND);
            let reply = Box::new(reply.clone());
            self.after(delay, Event::Answer { process, exchange, sent, reply });
        }
        Ok(())
    }

    fn answer(&mut self, process: usize, exchange: u64, sent: u64, reply: &Reply) -> Checked {
        let (at, is_there) = (self.now, self.processes[process].alive);
        let receiver = &mut self.processes[process];
        if !is_there {
            return Ok(());
        }
        if receiver.paused_until > at {
            let (until, reply) = (receiver.paused_until, Box::new(reply.clone()));
            self.at(until, Event::Answer { process, exchange, sent, reply });
            return Ok(());
        }
        if receiver.cut_until > at {
            self.figures.lost += 1;
            return Ok(());
        }
        if exchange == receiver.exchange {
            receiver.answered = true;
        }
        let (before, then) = (receiver.clock(sent), receiver.clock(at));
        let restarts = receiver.books.health(then).restarts;
        receiver.books.reply(then, reply);
        if matches!(reply, Reply::Done { .. }) {
            receiver.word = receiver.word.max(Some(before.mono));
        }
        if receiver.books.health(then).restarts > restarts {
            return Err(format!("process {process} was told to begin anew: {reply:?}"));
        }
        self.schedule(process);
        Ok(())
    }

    fn unanswered(&mut self, process: usize, exchange: u64) -> Checked {
        let (at, receiver) = (self.now, &mut self.processes[process]);
        if receiver.alive
            && receiver.exchange == exchange
            && !receiver.answered
            && receiver.paused_until <= at
        {
            receiver.answered = true;
            let now = receiver.clock(at);
            receiver.books.lost(now);
            self.schedule(process);
        }
        Ok(())
    }

    // -- what a power cut took ---------------------------------------------------------------------

    /// The store says that it lost something: whoever says again in time what it holds is counted again.
    fn recover(&mut self, loss: Loss) {
        self.server.operate(self.now, policy_core::store::Operation::Restarted);
        self.server.told = BTreeSet::new();
        self.after(crate::shadow::QUARANTINE - MILLISECOND, Event::Recovered(Box::new(loss)));
    }

    /// What the nodes did not say again may be granted a second time.
    pub(crate) fn forgive(&mut self, loss: Loss) {
        for (node, account, Granted { window, amount, .. }) in loss.granted {
            if !self.server.told.contains(&node) {
                self.truth.window(&account, window).forgotten += amount;
            }
        }
    }
}

fn brief(request: &Request) -> String {
    let items = request.items.iter().map(|item| {
        let reported: u64 = item.reported.iter().map(|(_, amount)| amount).sum();
        format!(
            "[{} {:?} reported {reported} debt {} refund {} back {} need {} want {}{}{}]",
            item.account.parts()[1],
            item.kind,
            item.debt,
            item.refund,
            item.give_back,
            item.need,
            item.want,
            if item.grant.is_some() { " raised" } else { "" },
            if item.closing { " closing" } else { "" },
        )
    });
    let items: Vec<_> = items.collect();
    let end = if request.closing { " the last" } else { "" };
    let (seq, epoch, seen) = (request.seq, request.epoch, request.seen);
    format!("{seq} (epoch {epoch}, seen {seen:x}){end} {} claims {:?}", items.join(" "), request.claims)
}
