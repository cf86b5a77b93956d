//! A run in which the engine fails: what it still answers is recorded as before.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly"
)]

#[path = "../../../policy_core/tests/common/mod.rs"]
mod common;

use std::fs;
use std::sync::Arc;

use checkrein_host::{Hosted, Live, Refused};
use checkrein_records::{Audit, Log, Subject, Writer};
use policy_core::{Decision, EngineError, ModelCall, Now, Run, Scopes};

use common::Policy;

fn ask(hosted: &Hosted) -> Result<Decision, Refused> {
    let call = ModelCall { model: Some("small"), ..ModelCall::default() };
    let (now, mut decision) = (Now::default(), Decision::new());
    hosted.admit(now, Subject::Call("model", call.model), &mut decision, |run, books, decision| {
        run.model_call(now, &call, books, decision)
    })?;
    Ok(decision)
}

#[test]
fn a_broken_run_goes_on_with_its_records() {
    let path = std::env::temp_dir().join(format!("checkrein-broken-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let (program, log) = (Policy::default().program(), Arc::new(Log::new(&path, Audit::BestEffort)));
    let begin =
        |program, books: &mut _| Ok(Run::new(program, 0, Now::default(), &Scopes::default(), None, books));
    let hosted = Hosted::alone(&program, None, (Now::default(), "r"), begin).unwrap();
    let record = |live: &mut Live| {
        live.record(|run| Writer::new(Arc::clone(&log), run, "\"r\"\n\"run\":\"r\"", |_| String::new()));
        Ok(())
    };
    hosted.tell(record).unwrap();
    let first = ask(&hosted).unwrap();
    let failed: Result<(), _> = hosted.tell(|_| -> Result<(), EngineError> { panic!("a bug of the engine") });
    assert!(matches!(failed, Err(Refused::Broken)), "{failed:?}");
    let second = ask(&hosted).unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    log.flush().unwrap();
    let lines = fs::read_to_string(&path).unwrap();
    let ids: Vec<_> =
        ["\"id\":\"r.1\"", "\"id\":\"r.2\""].iter().map(|id| lines.matches(id).count()).collect();
    assert_eq!(ids, [1, 1], "{lines}");
    assert!(lines.contains("\"by\":\"run ended\""), "{lines}");
    fs::remove_file(&path).unwrap();
}
