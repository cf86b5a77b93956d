//! What the ledger costs a decision, measured: `make bench-ledger` runs this. It says JSON lines.
//!
//! `decisions POLICY`: reserve and settle, contender beside contender in rounds. `threads POLICY`: one thread
//! and two. `trips`: decisions a round trip. `keys local|leased COUNT`: memory of so many accounts. `fill
//! FOLDER`: fills a journal and dies; `start FOLDER`: begins where others died.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures: what goes wrong ends it"
)]

mod contenders;
mod decisions;
mod scale;
mod threads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use checkrein_stores::{Ledger, Options};
use policy_core::{Now, Program};

/// As long as something may take that must not fail.
pub(crate) const LONG: Duration = Duration::from_secs(30);

thread_local! {
    pub(crate) static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread asks for.
struct Counting;

#[expect(unsafe_code, reason = "there is no other way to count allocations")]
// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: what was allocated here came from `System` with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: what was allocated here came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["decisions", policy] => decisions::run(&program(policy)),
        ["threads", policy] => threads::run(&program(policy)),
        ["trips"] => threads::trips(),
        ["keys", kind, count] => scale::keys(*kind == "leased", count.parse().expect("a number")),
        ["fill", folder] => scale::fill(Path::new(folder)),
        ["start", folder] => scale::start(Path::new(folder)),
        _ => panic!("decisions POLICY, threads POLICY, trips, keys KIND COUNT, fill FOLDER or start FOLDER"),
    }
}

fn program(path: &str) -> Arc<Program> {
    Arc::new(Program::load(&fs::read(path).expect("a compiled policy")).expect("it loads"))
}

/// The clocks of this process. The first reading is not 0.
pub(crate) fn now() -> Now {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = BEGIN.get_or_init(Instant::now).elapsed().as_nanos();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
    let mono = 1_000_000_000 + u64::try_from(passed).expect("a short run");
    Now { mono, wall: u64::try_from(wall).expect("before 2500") }
}

pub(crate) fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// A folder that goes when this does.
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("checkrein-speed-{}-{}", std::process::id(), now().mono);
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn ledger(&self, durable: bool) -> Ledger {
        let path = self.0.join(format!("ledger-{durable}.db")).display().to_string();
        Ledger::open(&path, Options { durable, now: now() }).expect("it opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The value below which this share of the values lies.
pub(crate) fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}
