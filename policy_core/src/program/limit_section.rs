//! The limits of an artifact: whose, when, how much, and what else they may say.

use crate::books::{Failure, Period, WindowKind};
use crate::error::LoadError;
use crate::program::enforced::Read;
use crate::program::limits::{Basis, Bound, Limit, Measure, Scope, Threshold, ThresholdKind};
use crate::program::reader::Reader;
use crate::program::sections::Known;
use crate::program::statements::{AskFor, Verdict};
use crate::program::tables::{Presence, Source};
use crate::value::{Dimension, MILLION};

const SECOND: u64 = 1_000_000_000;
/// How long a rolling window may be.
const ROLLING: std::ops::RangeInclusive<u64> = SECOND..=366 * 86_400 * SECOND;

const PERIODS: [Period; 4] = [Period::Hour, Period::Day, Period::Week, Period::Month];
const FAILURES: [Failure; 3] = [Failure::Spend, Failure::Deny, Failure::Allow];

impl Known<'_> {
    pub(crate) fn limit(&self, reader: &mut Reader<'_>) -> Read<Limit> {
        let statement = Self::statement(reader)?;
        let scope = self.scope(reader)?;
        let window = self.window(reader)?;
        let bounds = reader.ascending(|reader| {
            let measure = self.measure(reader)?;
            Ok((measure, Bound { measure, max: reader.quantity()?, withheld: reader.quantity()? }))
        })?;
        let basis = reader.choice(&Basis::ALL)?;
        let failure = reader.choice(&FAILURES)?;
        let wrap_up = reader.quantity()?;
        let thresholds = reader.list(|reader| self.threshold(reader))?;
        let verdict = self.any_verdict(reader)?;
        let reason = self.reason(reader)?;
        let (bounds, thresholds) = (bounds.into_boxed_slice(), thresholds.into_boxed_slice());
        let limit = Limit { statement, scope, window, bounds, basis, failure, wrap_up, thresholds, verdict };
        self.check(&limit).map_err(|what| reader.malformed(what))?;
        Ok((statement, limit, reason))
    }

    fn scope(&self, reader: &mut Reader<'_>) -> Result<Scope, LoadError> {
        match reader.byte()? {
            0 => Ok(Scope::Run),
            1 => Ok(Scope::Session),
            2 => Ok(Scope::User),
            3 => Ok(Scope::Team),
            4 => Ok(Scope::Org),
            5 => {
                let index = reader.index(self.facts.len())?;
                let is_key = self.facts.get(index as usize).is_some_and(|fact| {
                    fact.source == Source::Host
                        && fact.dimension == Dimension::Text
                        && fact.most == 0
                        && fact.presence == Presence::Required
                });
                if is_key {
                    Ok(Scope::Key(index))
                } else {
                    Err(reader.malformed("a limit is on a fact that is no required text"))
                }
            }
            _ => Err(reader.malformed("a code is unknown")),
        }
    }

    fn window(&self, reader: &mut Reader<'_>) -> Result<WindowKind, LoadError> {
        match reader.byte()? {
            0 => Ok(WindowKind::Forever),
            1 => {
                let period = reader.choice(&PERIODS)?;
                let index = reader.index(self.zones.len())?;
                let zone = self.zones.get(index as usize).map(|zone| zone.zone.clone());
                let zone = zone.ok_or_else(|| reader.malformed("an index is out of range"))?;
                Ok(WindowKind::Calendar { period, zone })
            }
            2 => {
                let ns = reader.quantity()?;
                if ROLLING.contains(&ns) {
                    Ok(WindowKind::Rolling { ns })
                } else {
                    Err(reader.malformed("a rolling window is too short or too long"))
                }
            }
            _ => Err(reader.malformed("a code is unknown")),
        }
    }

    fn measure(&self, reader: &mut Reader<'_>) -> Result<Measure, LoadError> {
        let code = usize::from(reader.byte()?);
        match Measure::ALL.get(code) {
            Some(measure) => Ok(*measure),
            None if code == Measure::ALL.len() => Ok(Measure::CallsOf(self.selector(reader)?)),
            None => Err(reader.malformed("a code is unknown")),
        }
    }

    fn threshold(&self, reader: &mut Reader<'_>) -> Result<Threshold, LoadError> {
        let ppm = reader.quantity()?;
        if ppm > MILLION {
            return Err(reader.malformed("a threshold is above its limit"));
        }
        let kind = reader.choice(&ThresholdKind::ALL)?;
        let text = if kind == ThresholdKind::PreferLower { "".into() } else { reader.text(self.strings)? };
        Ok(Threshold { ppm, kind, text })
    }

    /// What the parts of a limit tell about each other.
    fn check(&self, limit: &Limit) -> Result<(), &'static str> {
        let is_plain = limit.scope == Scope::Run && limit.window == WindowKind::Forever;
        if !is_plain && (limit.wrap_up > 0 || limit.bounds.iter().any(|bound| bound.measure.is_time())) {
            return Err("time and wrapping up are bounded for a whole run only");
        }
        if limit.scope == Scope::Run && limit.failure != Failure::Spend {
            return Err("a run's own limit has no store that could fail");
        }
        if !limit.bounds.iter().all(|bound| is_withheld_right(bound, limit.wrap_up)) {
            return Err("a limit withholds more or less than wrapping up takes");
        }
        if limit.verdict == Verdict::Reuse {
            return Err("a limit gives a known result");
        }
        if let Verdict::Escalate(queue, wants) = limit.verdict {
            let queue = self.queues.get(queue as usize);
            let helps = queue.is_some_and(|queue| limit.granted(queue).is_some() && queue.binds.is_empty());
            if !helps || wants != AskFor::Approval {
                return Err("a limit asks for more of what it does not bound");
            }
        }
        Ok(())
    }
}

fn is_withheld_right(bound: &Bound, calls: u64) -> bool {
    if calls > 0 && bound.measure.is_amount() {
        bound.withheld <= bound.max
    } else if bound.measure.counts_model_calls() {
        bound.withheld == calls.min(bound.max)
    } else {
        bound.withheld == 0
    }
}
