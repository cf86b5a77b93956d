//! What a program does before it asks: load a policy, bind names, open a ledger, begin a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use checkrein_host::Hosted;
use checkrein_stores::{Ledger, Options};
use policy_core::books::Books;
use policy_core::store::AccountKey;
use policy_core::{Decision, EngineError, Scope, Scopes};

use crate::bound::Bound;
use crate::edge::{In, Out, Span, place, there};
use crate::fault::{Fault, answer, bad};
use crate::handles::Handles;
use crate::pool::Pool;
use crate::types;

/// A program with the calls that were bound to it, which live as long as it does.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) program: Arc<policy_core::Program>,
    /// Tells the bound calls of this program from those of another.
    serial: u32,
    bound: Pool<Bound>,
}

/// A run with its program, and what it decided last.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) hosted: Hosted,
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) latest: Option<Decision>,
}

static PROGRAMS: Handles<Arc<Loaded>> = Handles::new(1, "program");
static LEDGERS: Handles<Arc<Ledger>> = Handles::new(2, "ledger");
pub(crate) static RUNS: Handles<Begun> = Handles::new(3, "run");
static SERIALS: AtomicU32 = AtomicU32::new(1);

/// As long as a ledger that is closed waits for its store.
const PATIENCE: Duration = Duration::from_secs(5);

impl Loaded {
    fn bind(&self, bound: Bound) -> Result<types::Call, Fault> {
        let full = || Fault::new(types::FULL, "too many calls are bound to this program; bind each once");
        let index = self.bound.push(|_| bound).ok_or_else(full)?;
        Ok(types::Call { id: u64::from(self.serial) << 32 | u64::from(index) })
    }

    /// What was bound.
    pub(crate) fn call(&self, call: types::Call) -> Result<&Bound, Fault> {
        let index = u32::try_from(call.id & u64::from(u32::MAX)).ok();
        let bound = index.filter(|_| call.id >> 32 == u64::from(self.serial));
        bound.and_then(|index| self.bound.get(index)).ok_or_else(|| {
            bad("this call was not bound to the program of the run; bind it once, and pass what that gave")
        })
    }
}

pub(crate) extern "C" fn load(artifact: Span<u8>, out: Out<'_, types::Program>) -> i32 {
    answer(|| {
        let out = place(out)?;
        let loaded = policy_core::Program::load(artifact.read()?);
        let program = loaded.map_err(|error| Fault::new(types::LOAD, error.to_string()))?;
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        let loaded = Loaded { program: Arc::new(program), serial, bound: Pool::new() };
        out.write(types::Program { id: PROGRAMS.open(Arc::new(loaded))? });
        Ok(())
    })
}

/// The program of a handle, which may be closed meanwhile.
fn loaded(program: types::Program) -> Result<Arc<Loaded>, Fault> {
    PROGRAMS.with(program.id, |loaded| Ok(Arc::clone(loaded)))
}

pub(crate) extern "C" fn bind_tool(
    program: types::Program,
    name: Span<u8>,
    names: In<'_, types::Names>,
    out: Out<'_, types::Call>,
) -> i32 {
    answer(|| {
        let (out, loaded) = (place(out)?, loaded(program)?);
        out.write(loaded.bind(Bound::tool(&loaded.program, name.text()?, there(names)?)?)?);
        Ok(())
    })
}

pub(crate) extern "C" fn bind_model(
    program: types::Program,
    name: Span<u8>,
    names: In<'_, types::Names>,
    out: Out<'_, types::Call>,
) -> i32 {
    answer(|| {
        let (out, loaded) = (place(out)?, loaded(program)?);
        out.write(loaded.bind(Bound::model(&loaded.program, name.given()?, there(names)?)?)?);
        Ok(())
    })
}

pub(crate) extern "C" fn bind_result(
    program: types::Program,
    tool: Span<u8>,
    names: In<'_, types::Names>,
    out: Out<'_, types::Call>,
) -> i32 {
    answer(|| {
        let (out, loaded) = (place(out)?, loaded(program)?);
        out.write(loaded.bind(Bound::result(&loaded.program, tool.given()?, there(names)?)?)?);
        Ok(())
    })
}

pub(crate) extern "C" fn open_ledger(
    place_of: Span<u8>,
    durable: u32,
    now: types::Now,
    out: Out<'_, types::Ledger>,
) -> i32 {
    answer(|| {
        let out = place(out)?;
        let ledger = match place_of.given()? {
            None => Ledger::memory(),
            Some(url) => Ledger::open(url, Options { durable: durable != 0, now: now.into() })?,
        };
        out.write(types::Ledger { id: LEDGERS.open(Arc::new(ledger))? });
        Ok(())
    })
}

pub(crate) extern "C" fn begin(
    program: types::Program,
    ledger: types::Ledger,
    scopes: In<'_, types::Scopes>,
    seed: u64,
    now: types::Now,
    out: Out<'_, types::Run>,
) -> i32 {
    answer(|| {
        let (out, loaded) = (place(out)?, loaded(program)?);
        let ledger = match ledger.id {
            0 => None,
            id => Some(LEDGERS.with(id, |ledger| Ok(Arc::clone(ledger)))?),
        };
        let hosted = with_scopes(&loaded.program, scopes, |scopes| {
            let id = scopes.run.unwrap_or_default();
            let begin = |program, books: &mut Books| -> Result<_, EngineError> {
                Ok(policy_core::Run::new(program, seed, now.into(), scopes, None, books))
            };
            Ok(Hosted::alone(&loaded.program, ledger.as_ref(), (now.into(), id), begin)?)
        })?;
        out.write(types::Run { id: RUNS.open(Begun { hosted, loaded, latest: None })? });
        Ok(())
    })
}

/// Lends the ids of a run.
fn with_scopes<T>(
    program: &policy_core::Program,
    given: In<'_, types::Scopes>,
    with: impl FnOnce(&Scopes<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let Some(given) = given else { return with(&Scopes::default()) };
    let mut keys = Vec::new();
    for key in given.keys.read()? {
        let name = key.name.text()?;
        keys.push((name, account(name, key.id.text()?)?));
    }
    let id_of = |fact: &u32| {
        let name = program.scope_name(Scope::Key(*fact));
        keys.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
    };
    let ids: Vec<_> = program.key_facts().iter().map(id_of).collect();
    with(&Scopes {
        run: given.run.given()?,
        session: id("session", &given.session)?,
        user: id("user", &given.user)?,
        team: id("team", &given.team)?,
        org: id("org", &given.org)?,
        keys: &ids,
    })
}

fn id<'a>(scope: &str, given: &'a Span<u8>) -> Result<Option<&'a str>, Fault> {
    given.given()?.map(|text| account(scope, text)).transpose()
}

/// An id under which limits add up.
fn account<'a>(scope: &str, id: &'a str) -> Result<&'a str, Fault> {
    let longest = AccountKey::LONGEST_ID;
    let names = !id.is_empty() && id.len() <= longest && AccountKey::new(scope, id, "", "", "").is_some();
    names.then_some(id).ok_or_else(|| {
        bad(format!(
            "the id of `{scope}` names no account: it is empty, longer than {longest} bytes, or has \
             characters that cannot be printed"
        ))
    })
}

pub(crate) extern "C" fn close_program(program: types::Program) -> i32 {
    answer(|| PROGRAMS.close(program.id).map(drop))
}

pub(crate) extern "C" fn close_ledger(ledger: types::Ledger) -> i32 {
    answer(|| {
        let ledger = LEDGERS.close(ledger.id)?;
        let late = "the store has not taken everything in time; what it has not is charged in full";
        if ledger.close(PATIENCE) { Ok(()) } else { Err(Fault::new(types::STORE, late)) }
    })
}

pub(crate) extern "C" fn close_run(run: types::Run) -> i32 {
    answer(|| RUNS.close(run.id).map(drop))
}
