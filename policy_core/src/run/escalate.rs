//! Requests to people: opened by an escalation, bound to one statement and one exact call, answered once.

use std::collections::BTreeMap;

use super::accounts::Accounts;
use crate::books::AccountId;
use crate::code::{Reader, Writer};
use crate::error::EngineError;
use crate::fingerprint::Binding;
use crate::program::{Grants, Program};

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

#[derive(Debug)]
struct Request {
    about: (u32, Binding),
    expires_at: u64,
    answer: Answer,
    granting: Option<Granting>,
}

/// Where the request of a statement for a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody has been asked, or the approval is used up.
    Unasked,
    Pending,
    Approved,
    Rejected,
    Expired,
}

/// Every request of a run. Ids are 1, 2, 3, ...
#[derive(Debug, Default)]
pub(crate) struct Requests {
    all: Vec<Request>,
    /// The request that stands for a call and a statement; none once its approval is used up.
    standing: BTreeMap<(Binding, u32), u64>,
    /// Approvals that no call has used yet.
    unused: u64,
}

impl Requests {
    pub(crate) fn standing(&self, statement: u32, binding: Binding, now: u64) -> Standing {
        let id = self.standing.get(&(binding, statement));
        let Some(request) = id.and_then(|id| self.get(*id)) else { return Standing::Unasked };
        match request.answer {
            Answer::Open if now > request.expires_at => Standing::Expired,
            Answer::Open => Standing::Pending,
            Answer::Approved => Standing::Approved,
            Answer::Rejected => Standing::Rejected,
        }
    }

    /// The pending request of that statement and call, or a new one: its id and the last moment to answer it.
    pub(crate) fn ask(
        &mut self,
        (statement, binding): (u32, Binding),
        now: u64,
        expires: u64,
        granting: Option<Granting>,
    ) -> (u64, u64) {
        if self.standing(statement, binding, now) == Standing::Pending
            && let Some(&id) = self.standing.get(&(binding, statement))
            && let Some(request) = self.get(id)
        {
            return (id, request.expires_at);
        }
        let expires_at = now.saturating_add(expires);
        self.all.push(Request { about: (statement, binding), expires_at, answer: Answer::Open, granting });
        let id = u64::try_from(self.all.len()).unwrap_or(u64::MAX);
        self.standing.insert((binding, statement), id);
        (id, expires_at)
    }

    /// Takes an answer. What an approval grants is returned once; it is used up by that, where others are by
    /// their call.
    pub(crate) fn answer(
        &mut self,
        id: u64,
        approve: bool,
        now: u64,
    ) -> Result<Option<Granting>, EngineError> {
        let place = id.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let request =
            place.and_then(|place| self.all.get_mut(place)).ok_or(EngineError::UnknownRequest(id))?;
        match (request.answer, approve) {
            (Answer::Approved, true) | (Answer::Rejected, false) => Ok(None),
            (Answer::Approved, false) | (Answer::Rejected, true) => Err(EngineError::AlreadyAnswered(id)),
            (Answer::Open, _) if now > request.expires_at => Err(EngineError::Expired(id)),
            (Answer::Open, true) => {
                request.answer = Answer::Approved;
                let granting = request.granting.take();
                if granting.is_some() {
                    let (statement, binding) = request.about;
                    self.standing.remove(&(binding, statement));
                } else {
                    self.unused = self.unused.saturating_add(1);
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
    pub(crate) const fn has_unused(&self) -> bool {
        self.unused > 0
    }

    /// Uses up every approval of this call. Those that its `grants` hold already are left for the next equal
    /// call, which they were given for.
    pub(crate) fn consume(&mut self, binding: Binding, grants: &mut Vec<(u32, Binding)>) {
        let asked = self.standing.range((binding, 0)..=(binding, u32::MAX));
        let approved = asked.filter(|(_, id)| self.get(**id).is_some_and(|it| it.answer == Answer::Approved));
        let statements: Vec<u32> = approved.map(|(&(_, statement), _)| statement).collect();
        for statement in statements {
            if !grants.contains(&(statement, binding)) {
                self.standing.remove(&(binding, statement));
                self.unused = self.unused.saturating_sub(1);
                grants.push((statement, binding));
            }
        }
    }

    pub(crate) fn write(&self, accounts: &Accounts, writer: &mut Writer) {
        writer.list(&self.all, |writer, request| {
            let (statement, binding) = request.about;
            writer.number(u64::from(statement));
            binding.write(writer);
            writer.number(request.expires_at);
            writer.number(request.answer as u64);
            writer.flag(request.granting.is_some());
            if let Some(granting) = &request.granting {
                writer.list(&granting.accounts, |writer, account| writer.number(accounts.place(*account)));
            }
        });
        let standing: Vec<u64> = self.standing.values().copied().collect();
        writer.list(&standing, |writer, id| writer.number(*id));
    }

    pub(crate) fn read(reader: &mut Reader<'_>, program: &Program, accounts: &Accounts) -> Option<Self> {
        let all = reader.list(|reader| {
            let statement = reader.index(program.statements().len())?;
            let about = (statement, Binding::read(reader)?);
            let expires_at = reader.number()?;
            let answer = *Answer::ALL.get(reader.index(Answer::ALL.len())? as usize)?;
            let granting = if reader.flag()? {
                let account = |reader: &mut Reader<'_>| {
                    let place = reader.index(accounts.entries.len())?;
                    accounts.entry(place)?.account
                };
                Some(Granting { accounts: reader.list(account)?, grants: program.grants_of(statement)? })
            } else {
                None
            };
            Some(Request { about, expires_at, answer, granting })
        })?;
        let mut requests = Self { all, ..Self::default() };
        for id in reader.list(Reader::number)? {
            let (statement, binding) = requests.get(id)?.about;
            let is_known = requests.standing.insert((binding, statement), id).is_some();
            let is_approved = requests.get(id)?.answer == Answer::Approved;
            requests.unused = requests.unused.saturating_add(u64::from(is_approved));
            if is_known {
                return None;
            }
        }
        Some(requests)
    }

    fn get(&self, id: u64) -> Option<&Request> {
        self.all.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Binding = Binding::Call(1);

    #[test]
    fn a_request_is_kept_for_its_statement_and_call() {
        let mut requests = Requests::default();
        assert_eq!(requests.standing(0, CALL, 0), Standing::Unasked);
        assert_eq!(requests.ask((0, CALL), 10, 5, None), (1, 15));
        assert_eq!(requests.ask((0, CALL), 12, 5, None), (1, 15));
        assert_eq!(requests.ask((1, CALL), 12, 5, None), (2, 17));
        assert_eq!(requests.ask((0, Binding::Call(2)), 12, 5, None), (3, 17));
        assert_eq!(requests.standing(0, CALL, 15), Standing::Pending);
        assert_eq!(requests.standing(0, CALL, 16), Standing::Expired);
    }

    #[test]
    fn an_approval_serves_once() {
        let mut requests = Requests::default();
        requests.ask((4, CALL), 0, 5, None);
        assert_eq!(requests.answer(1, true, 5), Ok(None));
        assert!(requests.has_unused());
        assert_eq!(requests.standing(4, CALL, 99), Standing::Approved);
        let mut grants = Vec::new();
        requests.consume(CALL, &mut grants);
        assert_eq!(grants, [(4, CALL)]);
        assert!(!requests.has_unused());
        assert_eq!(requests.standing(4, CALL, 99), Standing::Unasked);
        assert_eq!(requests.answer(1, false, 99), Err(EngineError::AlreadyAnswered(1)));
        assert_eq!(requests.ask((4, CALL), 100, 5, None), (2, 105));
        // What an equal call is granted is not used up by the retries of the first.
        assert_eq!(requests.answer(2, true, 100), Ok(None));
        requests.consume(CALL, &mut grants);
        assert_eq!((grants.len(), requests.standing(4, CALL, 100)), (1, Standing::Approved));
    }

    #[test]
    fn answers_are_final() {
        let mut requests = Requests::default();
        assert_eq!(requests.answer(0, true, 0), Err(EngineError::UnknownRequest(0)));
        assert_eq!(requests.answer(1, true, 0), Err(EngineError::UnknownRequest(1)));
        requests.ask((0, CALL), 0, 5, None);
        assert_eq!(requests.answer(1, true, 6), Err(EngineError::Expired(1)));
        requests.ask((0, Binding::Call(2)), 0, 5, None);
        assert_eq!(requests.answer(2, false, 5), Ok(None));
        assert_eq!(requests.answer(2, false, 9), Ok(None));
        assert_eq!(requests.answer(2, true, 9), Err(EngineError::AlreadyAnswered(2)));
        assert_eq!(requests.standing(0, Binding::Call(2), 9), Standing::Rejected);
    }
}
