//! The rules that every engine is given, the calls that it is asked about, and what is right: the four rules
//! for a refund of `tests/bench/policy.rein`, and so many more that deny the refunds of a region.

/// The facts of a call that rules read.
#[derive(Clone, Debug)]
pub struct Call {
    pub flagged: bool,
    pub risk: i64,
    pub age: i64,
    pub amount: i64,
    pub tier: &'static str,
    pub region: String,
}

const DAY: i64 = 86_400;

/// The name of the rule that decides; empty, if the call is allowed.
pub fn oracle(call: &Call, many: usize) -> String {
    let number: usize = call.region[1..].parse().expect("a region has a number");
    if call.flagged {
        "flagged".into()
    } else if call.risk >= 90 {
        "risky".into()
    } else if call.age > 30 * DAY {
        "old".into()
    } else if number < many && call.amount > threshold(number) {
        call.region.clone()
    } else if call.amount > 10_000 && call.tier != "enterprise" {
        "big".into()
    } else {
        String::new()
    }
}

/// Whether none of the first three rules denies the call: what is timed.
pub fn goes_on(call: &Call) -> bool {
    !["flagged", "risky", "old"].contains(&&*oracle(call, 0))
}

/// The cents above which the rule of a region denies.
fn threshold(number: usize) -> i64 {
    i64::try_from(number % 50).expect("small") * 100
}

/// Calls of all kinds, the same in every process; none meets two rules that deny.
pub fn calls(many: usize) -> Vec<Call> {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut found = Vec::new();
    while found.len() < 200 {
        let mut call = Call {
            flagged: false,
            risk: 20,
            age: DAY,
            amount: [500, 2_500, 6_000, 20_000][next(4) as usize],
            tier: ["free", "plus", "enterprise"][next(3) as usize],
            region: format!("r{}", next(many.max(1) as u64 * 2)),
        };
        let is_denied = oracle(&call, many).starts_with('r');
        match next(6) {
            0 if !is_denied => call.flagged = true,
            1 if !is_denied => call.risk = 95,
            2 if !is_denied => call.age = 40 * DAY,
            _ => {}
        }
        found.push(call);
    }
    found
}

/// Each rule's name and what it asks, for an engine whose facts have this prefix and whose "and" is this.
pub fn rules(many: usize, prefix: &str, and: &str) -> Vec<(String, String)> {
    let p = prefix;
    let mut found = vec![
        ("flagged".into(), format!("{p}flagged")),
        ("risky".into(), format!("{p}risk >= 90")),
        ("old".into(), format!("{p}age > {}", 30 * DAY)),
    ];
    found.extend((0..many).map(|number| {
        let test = format!("{p}region == \"r{number}\" {and} {p}amount > {}", threshold(number));
        (format!("r{number}"), test)
    }));
    found.push(("big".into(), format!("{p}amount > 10000 {and} {p}tier != \"enterprise\"")));
    found
}
