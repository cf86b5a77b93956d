//! What happened, counted.

use std::io::{self, Write};

macro_rules! figures {
    ($($name:ident: $text:literal,)*) => {
        /// What happened in one run, or in many.
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Figures {
            $(pub(crate) $name: u64,)*
        }

        impl Figures {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            fn lines(&self) -> Vec<(&'static str, u64)> {
                vec![$(($text, self.$name),)*]
            }
        }
    };
}

figures! {
    steps: "steps",
    allowed: "calls allowed",
    denied: "calls denied",
    waits: "waits for a lease",
    settled: "calls settled",
    debts: "used beyond the hold",
    unbounded: "taken without a lease (on failure allow)",
    requests: "requests sent",
    lost: "messages lost",
    repeated: "messages repeated",
    late: "messages late",
    crashes: "crashes",
    forks: "forks",
    pauses: "pauses",
    partitions: "partitions",
    power_cuts: "power cuts of the store",
    undone: "acknowledged grants lost by them",
    reassertions: "requests to say again what is held",
    clock_jumps: "clock jumps",
    windows: "hours that passed at once",
    bounds: "bounds changed",
    pins: "bounds pinned",
    raises: "bounds raised by people",
    corrections: "corrections by operators",
    written_off: "leases written off by them",
    damaged: "rows damaged",
    suspended: "calls of runs that were suspended",
    resumed: "of them settled by another process",
    closed: "processes that ended well",
}

impl Figures {
    pub(crate) fn write(&self, seeds: u64, failed: u64, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{seeds:>12} seeds")?;
        for (text, figure) in self.lines() {
            writeln!(out, "{figure:>12} {text}")?;
        }
        writeln!(out, "{failed:>12} seeds overspent, or broke another rule")
    }
}
