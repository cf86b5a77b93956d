//! One decision of each engine, by criterion. Each first answers all calls as the oracle does; only then it
//! is timed. CHECKREIN_POLICIES is a folder with our policy, compiled, of each size: `0.reinc`, `1000.reinc`.

use std::path::PathBuf;

use checkrein_bench::Peer;
use checkrein_bench::cedar::Cedar;
use checkrein_bench::cel::Cel;
use checkrein_bench::checkrein::Checkrein;
use checkrein_bench::regorus::Regorus;
use checkrein_bench::rules::{Call, calls, goes_on, oracle};
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};

const SIZES: [usize; 2] = [0, 1_000];

fn main() {
    let folder = PathBuf::from(std::env::var("CHECKREIN_POLICIES").expect("CHECKREIN_POLICIES is a folder"));
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    for many in SIZES {
        let asked = calls(many);
        let mut group = criterion.benchmark_group(many.to_string());
        let policy = folder.join(format!("{many}.reinc"));
        let log = folder.join("log.jsonl");
        time(&mut group, ("checkrein", many), &asked, Checkrein::new(&policy, Some(&log)));
        time(&mut group, ("engine", many), &asked, Checkrein::new(&policy, None));
        time(&mut group, ("cedar-policy", many), &asked, Cedar::new(many));
        time(&mut group, ("cel", many), &asked, Cel::new(many));
        time(&mut group, ("regorus", many), &asked, Regorus::new(many));
        group.finish();
    }
}

/// Compares every answer, then times the calls that none of the first three rules denies, in turn.
fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (name, many): (&str, usize),
    asked: &[Call],
    mut peer: impl Peer,
) {
    for call in asked {
        let answer = peer.ask(call);
        assert_eq!(peer.read(&answer), oracle(call, many), "{name} answers wrongly: {call:?}");
        peer.after(answer);
    }
    let timed: Vec<&Call> = asked.iter().filter(|call| goes_on(call)).collect();
    let mut turn = timed.into_iter().cycle();
    group.bench_function(name, |bencher| bencher.iter_custom(|count| peer.time(count, &mut turn)));
}
