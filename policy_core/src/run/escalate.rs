//! Requests to people: opened by an escalation, bound to one statement and one exact call, answered once.

use std::collections::BTreeMap;

use super::accounts::Accounts;
use crate::books::AccountId;
use crate::code::{Reader, Writer};
use crate::error::EngineError;
use crate::fingerprint::{Binding, sha256};
use crate::program::{AskFor, Grants, Program};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Open,
    Approved,
    Rejected,
}

impl Answer {
    const ALL: [Self; 3] = [Self::Open, Self::Approved, Self::Rejected];
}

/// What an approval adds to which accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granting {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) grants: Grants,
}

/// A request that nobody has answered yet, and may still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Its number.
    pub request: u64,
    /// Who asks, an index into [`Program::statements`].
    pub statement: u32,
    /// The queue, an index into [`Program::queues`].
    pub queue: u32,
    /// What the person is asked for.
    pub wants: AskFor,
    /// What an answer is for: the program's meaning, the statement, the call and the number, as a digest.
    pub bound: [u8; 32],
    /// For how long it may still be answered, in nanoseconds.
    pub left_ns: u64,
}

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request's number.
    pub request: u64,
    /// Yes, or what a question was answered with.
    pub approve: bool,
    /// How long ago it was given, in nanoseconds.
    pub ago: u64,
    /// What it is for, if it comes from elsewhere: another request than [`OpenRequest::bound`] said is not
    /// answered by it.
    pub bound: Option<[u8; 32]>,
}

#[derive(Debug)]
struct Request {
    about: (u32, Binding),
    queue: u32,
    wants: AskFor,
    /// The last moment to answer it, or to use its approval.
    expires_at: u64,
    answer: Answer,
    granting: Option<Granting>,
}

impl Request {
    /// What an answer to it, the request `id`, is for.
    fn bound(&self, id: u64, program: &Program) -> [u8; 32] {
        let mut writer = Writer::default();
        let (statement, binding) = self.about;
        writer.fixed(program.meaning());
        writer.number(u64::from(statement));
        binding.write(&mut writer);
        writer.number(id);
        sha256(&[&writer.bytes])
    }
}

/// Where the request of a statement for a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody has been asked, or the approval is used up or too old.
    Unasked,
    Pending,
    Approved,
    Rejected,
    Expired,
}

/// Every request of a run. Ids are 1, 2, 3, ... Most runs ask nobody, and need no memory for it.
#[derive(Debug, Default)]
pub(crate) struct Requests(Option<Box<All>>);

#[derive(Debug, Default)]
struct All {
    list: Vec<Request>,
    /// The request that stands for a call and a statement; none once its approval is used up.
    standing: BTreeMap<(Binding, u32), u64>,
    /// Approvals that no call has used yet.
    unused: u64,
}

impl Requests {
    /// All of them, to be changed.
    fn all(&mut self) -> &mut All {
        self.0.get_or_insert_default()
    }

    fn list(&self) -> &[Request] {
        self.0.as_ref().map_or(&[], |all| &all.list)
    }

    pub(crate) fn standing(&self, statement: u32, binding: Binding, now: u64) -> Standing {
        let id = self.of(statement, binding);
        let Some(request) = id.and_then(|id| self.get(id)) else { return Standing::Unasked };
        match request.answer {
            Answer::Open if now > request.expires_at => Standing::Expired,
            Answer::Open => Standing::Pending,
            Answer::Approved if now > request.expires_at => Standing::Unasked,
            Answer::Approved => Standing::Approved,
            Answer::Rejected => Standing::Rejected,
        }
    }

    /// The request that stands for a statement and a call.
    pub(crate) fn of(&self, statement: u32, binding: Binding) -> Option<u64> {
        self.0.as_ref()?.standing.get(&(binding, statement)).copied()
    }

    /// An answer has served: the next equal call asks anew.
    pub(crate) fn use_up(&mut self, statement: u32, binding: Binding) {
        let all = self.all();
        if all.standing.remove(&(binding, statement)).is_some() {
            all.unused = all.unused.saturating_sub(1);
        }
    }

    /// What people may still answer.
    pub(crate) fn open(&self, now: u64, program: &Program) -> Vec<OpenRequest> {
        let numbered = self.list().iter().zip(1..);
        let open =
            numbered.filter(|(request, _)| request.answer == Answer::Open && now <= request.expires_at);
        let shown = open.map(|(request, id)| OpenRequest {
            request: id,
            statement: request.about.0,
            queue: request.queue,
            wants: request.wants,
            bound: request.bound(id, program),
            left_ns: request.expires_at.saturating_sub(now),
        });
        shown.collect()
    }

    /// The pending request of that statement and call, or a new one: its id and the last moment to answer it.
    pub(crate) fn ask(
        &mut self,
        (statement, binding): (u32, Binding),
        now: u64,
        (queue, expires): (u32, u64),
        (wants, granting): (AskFor, Option<Granting>),
    ) -> (u64, u64) {
        if self.standing(statement, binding, now) == Standing::Pending
            && let Some(id) = self.of(statement, binding)
            && let Some(request) = self.get(id)
        {
            return (id, request.expires_at);
        }
        let expires_at = now.saturating_add(expires);
        let (about, answer) = ((statement, binding), Answer::Open);
        let before = self.of(statement, binding).and_then(|id| self.get(id));
        // It was too old.
        let was_approved = before.is_some_and(|request| request.answer == Answer::Approved);
        let all = self.all();
        all.list.push(Request { about, queue, wants, expires_at, answer, granting });
        let id = u64::try_from(all.list.len()).unwrap_or(u64::MAX);
        all.standing.insert((binding, statement), id);
        all.unused = all.unused.saturating_sub(u64::from(was_approved));
        (id, expires_at)
    }

    /// Takes an answer. What an approval grants is returned once; it is used up by that, where others are by
    /// their call, which has as long to come as the person had.
    pub(crate) fn answer(
        &mut self,
        reply: &Reply,
        now: u64,
        program: &Program,
    ) -> Result<Option<Granting>, EngineError> {
        let (id, at) = (reply.request, now.saturating_sub(reply.ago));
        let place = id.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let All { list, standing, unused } = self.all();
        let request = place.and_then(|place| list.get_mut(place)).ok_or(EngineError::UnknownRequest(id))?;
        if reply.bound.is_some_and(|bound| bound != request.bound(id, program)) {
            return Err(EngineError::UnknownRequest(id));
        }
        match (request.answer, reply.approve) {
            (Answer::Approved, true) | (Answer::Rejected, false) => Ok(None),
            (Answer::Approved, false) | (Answer::Rejected, true) => Err(EngineError::AlreadyAnswered(id)),
            (Answer::Open, _) if at > request.expires_at => Err(EngineError::Expired(id)),
            (Answer::Open, true) => {
                request.answer = Answer::Approved;
                request.expires_at = at.saturating_add(program.tables.queues.at(request.queue).expires_ns);
                let granting = request.granting.take();
                if granting.is_some() {
                    let (statement, binding) = request.about;
                    standing.remove(&(binding, statement));
                } else {
                    *unused = unused.saturating_add(1);
                }
                Ok(granting)
            }
            (Answer::Open, false) => {
                request.answer = Answer::Rejected;
                Ok(None)
            }
        }
    }

    /// Whether some approval waits for its call; only then does an allow look for approvals to use up.
    pub(crate) fn has_unused(&self) -> bool {
        self.0.as_ref().is_some_and(|all| all.unused > 0)
    }

    /// Uses up every approval of this call. Those that its `grants` hold already are left for the next equal
    /// call, which they were given for.
    pub(crate) fn consume(&mut self, binding: Binding, now: u64, grants: &mut Vec<(u32, Binding)>) {
        let all = self.0.iter().flat_map(|all| all.standing.range((binding, 0)..=(binding, u32::MAX)));
        let asked = all.map(|(&(_, statement), _)| statement);
        let is_approved = |statement: &u32| self.standing(*statement, binding, now) == Standing::Approved;
        let statements: Vec<u32> = asked.filter(is_approved).collect();
        for statement in statements {
            if !grants.contains(&(statement, binding)) {
                self.use_up(statement, binding);
                grants.push((statement, binding));
            }
        }
    }

    pub(crate) fn write(&self, accounts: &Accounts, writer: &mut Writer) {
        writer.list(self.list(), |writer, request| {
            let (statement, binding) = request.about;
            writer.number(u64::from(statement));
            binding.write(writer);
            writer.number(u64::from(request.queue));
            writer.number(request.wants as u64);
            writer.number(request.expires_at);
            writer.number(request.answer as u64);
            writer.flag(request.granting.is_some());
            if let Some(granting) = &request.granting {
                writer.list(&granting.accounts, |writer, account| writer.number(accounts.place(*account)));
            }
        });
        let standing: Vec<u64> = self.0.iter().flat_map(|all| all.standing.values()).copied().collect();
        writer.list(&standing, |writer, id| writer.number(*id));
    }

    pub(crate) fn read(reader: &mut Reader<'_>, program: &Program, accounts: &Accounts) -> Option<Self> {
        let list = reader.list(|reader| {
            let statement = reader.index(program.statements().len())?;
            let about = (statement, Binding::read(reader)?);
            let queue = reader.index(program.queues().len())?;
            let wants = *AskFor::ALL.get(reader.index(AskFor::ALL.len())? as usize)?;
            let expires_at = reader.number()?;
            let answer = *Answer::ALL.get(reader.index(Answer::ALL.len())? as usize)?;
            let granting = if reader.flag()? {
                let account = |reader: &mut Reader<'_>| {
                    let place = reader.index(accounts.all.len())?;
                    accounts.account(place)
                };
                Some(Granting { accounts: reader.list(account)?, grants: program.grants_of(statement)? })
            } else {
                None
            };
            Some(Request { about, queue, wants, expires_at, answer, granting })
        })?;
        let mut requests = Self((!list.is_empty()).then(|| Box::new(All { list, ..All::default() })));
        for id in reader.list(Reader::number)? {
            let &Request { about: (statement, binding), answer, .. } = requests.get(id)?;
            let all = requests.all();
            let is_known = all.standing.insert((binding, statement), id).is_some();
            all.unused = all.unused.saturating_add(u64::from(answer == Answer::Approved));
            if is_known {
                return None;
            }
        }
        Some(requests)
    }

    fn get(&self, id: u64) -> Option<&Request> {
        self.list().get(usize::try_from(id.checked_sub(1)?).ok()?)
    }
}
