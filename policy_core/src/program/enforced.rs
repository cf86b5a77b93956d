//! The sections of an artifact that are enforced but limits: rules, retries, requirements, the route, orders
//! and loops. Each reader gives the statement's index, the item and the author's reason.

use std::sync::Arc;

use crate::decision::Outcome;
use crate::error::LoadError;
use crate::facts::BuiltInFact;
use crate::health::{BreakerTerms, ShareTerms};
use crate::program::Comparison;
use crate::program::reader::Reader;
use crate::program::sections::{Known, PLACES};
use crate::program::statements::{
    Arm, AskFor, Canaries, Loop, Need, Order, Require, Retry, Route, Rule, Selector, TruthOf, Verdict,
};
use crate::program::tables::{Source, ToolClass};
use crate::program::watch::{Breaker, Providers, Watch};
use crate::value::{Dimension, MILLION};

type Reason = Option<Arc<str>>;
pub(crate) type Read<T> = Result<(u32, T, Reason), LoadError>;

impl Known<'_> {
    /// A statement's index; that it exists and is of the right kind is checked by the section.
    pub(crate) fn statement(reader: &mut Reader<'_>) -> Result<u32, LoadError> {
        reader.index(u32::MAX as usize)
    }

    pub(crate) fn selector(&self, reader: &mut Reader<'_>) -> Result<Selector, LoadError> {
        match reader.byte()? {
            0 => Ok(Selector::AnyModel),
            1 => Ok(Selector::Model(reader.index(self.models.len())?)),
            2 => Ok(Selector::AnyTool),
            3 => Ok(Selector::Tool(reader.index(self.tools)?)),
            4 => match reader.choice(&ToolClass::ALL)? {
                ToolClass::None => Err(reader.malformed("a selector names no class")),
                class => Ok(Selector::Class(class)),
            },
            _ => Err(reader.malformed("a code is unknown")),
        }
    }

    fn tools_only(&self, reader: &mut Reader<'_>) -> Result<Selector, LoadError> {
        match self.selector(reader)? {
            Selector::AnyModel | Selector::Model(_) => Err(reader.malformed("only tools have an order")),
            selector => Ok(selector),
        }
    }

    pub(crate) fn any_verdict(&self, reader: &mut Reader<'_>) -> Result<Verdict, LoadError> {
        match reader.byte()? {
            0 => Ok(Verdict::Stop(reader.index(self.states)?)),
            1 => Ok(Verdict::Fail(reader.index(self.states)?)),
            2 => Ok(Verdict::Deny),
            3 => Ok(Verdict::Escalate(reader.index(self.queues.len())?, AskFor::Approval)),
            4 => Ok(Verdict::Answer(reader.index(self.templates)?)),
            5 => Ok(Verdict::Reuse),
            6 => Ok(Verdict::Escalate(reader.index(self.queues.len())?, AskFor::Text)),
            7 => Ok(Verdict::Escalate(reader.index(self.queues.len())?, AskFor::Handover)),
            _ => Err(reader.malformed("a code is unknown")),
        }
    }

    /// What a rule, an order or a loop says: it does not ask where limits ask for more, a model's call is
    /// not given a known result, and a tool's not a text.
    fn verdict(&self, reader: &mut Reader<'_>, on_models: bool) -> Result<Verdict, LoadError> {
        match self.any_verdict(reader)? {
            Verdict::Escalate(queue, _) if self.grants(queue) => {
                Err(reader.malformed("only limits ask a queue that grants"))
            }
            Verdict::Answer(_) if !on_models => Err(reader.malformed("a tool's call is answered")),
            Verdict::Reuse if on_models => Err(reader.malformed("a model's result is given again")),
            verdict => Ok(verdict),
        }
    }

    fn grants(&self, queue: u32) -> bool {
        self.queues.get(queue as usize).is_some_and(|queue| queue.grants.is_some())
    }

    /// The else of a retry, which asks nobody and comes after a call that gave nothing.
    fn final_verdict(&self, reader: &mut Reader<'_>, on_models: bool) -> Result<Verdict, LoadError> {
        match self.any_verdict(reader)? {
            Verdict::Escalate(..) => Err(reader.malformed("a retry escalates")),
            Verdict::Answer(_) if !on_models => Err(reader.malformed("a tool's call is answered")),
            Verdict::Reuse => Err(reader.malformed("a retry gives a known result")),
            verdict => Ok(verdict),
        }
    }

    fn condition(&self, reader: &mut Reader<'_>) -> Result<Option<u32>, LoadError> {
        reader.option(|reader| reader.index(self.conditions))
    }

    pub(crate) fn reason(&self, reader: &mut Reader<'_>) -> Result<Reason, LoadError> {
        reader.option(|reader| reader.text(self.strings))
    }

    pub(crate) fn rule(&self, reader: &mut Reader<'_>) -> Read<Rule> {
        let statement = Self::statement(reader)?;
        let selector = self.selector(reader)?;
        let when = self.condition(reader)?;
        let verdict = self.verdict(reader, selector.takes_models())?;
        let reason = reader.text(self.strings)?;
        Ok((statement, Rule { statement, selector, when, verdict }, Some(reason)))
    }

    pub(crate) fn retry(&self, reader: &mut Reader<'_>) -> Read<Retry> {
        let statement = Self::statement(reader)?;
        let selector = self.selector(reader)?;
        let retry = Retry {
            statement,
            selector,
            when: self.condition(reader)?,
            attempts: reader.quantity()?,
            within_ns: reader.option(Reader::quantity)?,
            backoff_ns: reader.option(|reader| Ok((reader.quantity()?, reader.quantity()?)))?,
            share: reader.option(share)?,
            verdict: self.final_verdict(reader, selector.takes_models())?,
        };
        if retry.backoff_ns.is_some_and(|(least, most)| least > most) {
            return Err(reader.malformed("a backoff ends before it begins"));
        }
        let reason = self.reason(reader)?;
        Ok((retry.statement, retry, reason))
    }

    pub(crate) fn breaker(&self, reader: &mut Reader<'_>) -> Read<Breaker> {
        let statement = Self::statement(reader)?;
        let watch = match reader.option(|reader| self.selector(reader))? {
            Some(selector) => Watch::Calls(selector),
            None => {
                reader.option(|reader| self.provider(reader))?.map_or(Watch::AnyProvider, Watch::Provider)
            }
        };
        let terms = BreakerTerms {
            failures: percent(reader)?,
            calls: above_zero(reader)?,
            window_ns: above_zero(reader)?,
            probes: above_zero(reader)?,
            after_ns: above_zero(reader)?,
        };
        Ok((statement, Breaker { statement, watch, terms }, None))
    }

    /// A provider, as the first of its models.
    fn provider(&self, reader: &mut Reader<'_>) -> Result<u32, LoadError> {
        let named = reader.text(self.strings)?;
        let providers = self.providers.get_or_init(|| Providers::new(self.models));
        providers
            .firsts
            .get(&*named)
            .copied()
            .ok_or_else(|| reader.malformed("a breaker watches a provider of no model"))
    }

    pub(crate) fn require(&self, reader: &mut Reader<'_>) -> Read<Require> {
        let statement = Self::statement(reader)?;
        let need = self.need(reader)?;
        let when = self.condition(reader)?;
        Ok((statement, Require { statement, need, when }, None))
    }

    fn need(&self, reader: &mut Reader<'_>) -> Result<Need, LoadError> {
        Ok(match reader.byte()? {
            0 => Need::Place(reader.choice(&PLACES)?),
            1 => Need::Tier(reader.choice(&Comparison::ALL)?, reader.quantity()?),
            2 => {
                let models = reader.ascending(|reader| index_of(reader, self.models.len()))?;
                Need::Models(models.into_boxed_slice())
            }
            3 => {
                let regions = reader.ascending(|reader| reader.keyed_text(self.strings))?;
                Need::Regions(regions.into_boxed_slice())
            }
            _ => return Err(reader.malformed("a code is unknown")),
        })
    }

    pub(crate) fn route(&self, reader: &mut Reader<'_>) -> Read<Route> {
        let statement = Self::statement(reader)?;
        let arms = reader.list(|reader| self.arm(reader))?;
        let fallbacks =
            reader.list(|reader| Ok((reader.index(self.models.len())?, reader.index(self.models.len())?)))?;
        let canaries = reader.option(|reader| self.canaries(reader))?;
        let (arms, fallbacks) = (arms.into_boxed_slice(), fallbacks.into_boxed_slice());
        Ok((statement, Route { statement, arms, fallbacks, canaries }, None))
    }

    fn arm(&self, reader: &mut Reader<'_>) -> Result<Arm, LoadError> {
        let model = reader.index(self.models.len())?;
        let when = self.condition(reader)?;
        let then =
            reader.option(|reader| Ok((reader.index(self.models.len())?, reader.index(self.conditions)?)))?;
        if when.is_some() && then.is_some() || then.is_some_and(|(then, _)| then == model) {
            return Err(reader.malformed("a cascade has a condition of its own, or leads to itself"));
        }
        Ok(Arm { model, when, then })
    }

    fn canaries(&self, reader: &mut Reader<'_>) -> Result<Canaries, LoadError> {
        let fact = reader.index(self.facts.len())?;
        let is_drawn_by = self.facts.get(fact as usize).is_some_and(|fact| {
            let is_known = matches!(fact.source, Source::Host | Source::BuiltIn(BuiltInFact::Id(_)));
            is_known && fact.dimension == Dimension::Text && fact.most == 0
        });
        let shares = reader.list(|reader| Ok((reader.index(self.models.len())?, reader.quantity()?)))?;
        let all = shares.iter().fold(0_u64, |all, (_, share)| all.saturating_add(*share));
        if is_drawn_by && !shares.is_empty() && all <= MILLION {
            Ok(Canaries { fact, shares: shares.into_boxed_slice() })
        } else {
            Err(reader.malformed("canaries are drawn by what is no text, or are more than everything"))
        }
    }

    pub(crate) fn order(&self, reader: &mut Reader<'_>) -> Read<Order> {
        let order = Order {
            statement: Self::statement(reader)?,
            before: self.tools_only(reader)?,
            after: self.tools_only(reader)?,
            matching: reader.ascending(|reader| self.argument(reader))?.into_boxed_slice(),
            again_after: reader.ascending(|reader| index_of(reader, self.tools))?.into_boxed_slice(),
            verdict: self.verdict(reader, false)?,
        };
        if order.verdict == Verdict::Reuse {
            return Err(reader.malformed("an order gives a known result"));
        }
        let reason = self.reason(reader)?;
        Ok((order.statement, order, reason))
    }

    /// An argument of tools, as the fact that it fills.
    fn argument(&self, reader: &mut Reader<'_>) -> Result<(u32, u32), LoadError> {
        let (fact, _) = index_of(reader, self.facts.len())?;
        match self.facts.get(fact as usize) {
            Some(known) if known.source == Source::Arg && known.most == 0 => Ok((fact, fact)),
            _ => Err(reader.malformed("an order matches what is no argument, or a list")),
        }
    }

    pub(crate) fn repetition(&self, reader: &mut Reader<'_>) -> Read<Loop> {
        let repetition = Loop {
            statement: Self::statement(reader)?,
            ignoring: reader.ascending(|reader| reader.keyed_text(self.strings))?.into_boxed_slice(),
            same_call: reader.option(pair)?,
            same_error: reader.option(pair)?,
            cycle: reader.option(pair)?,
            no_progress: reader.option(above_zero)?,
            repeated_context: reader.option(percent)?,
            verdict: self.verdict(reader, false)?,
        };
        let is_late = repetition.same_error.is_some();
        let outcome = repetition.verdict.outcome();
        if is_late && matches!(outcome, Outcome::Escalate | Outcome::Reuse) {
            return Err(reader.malformed("a loop asks about a call that was made"));
        }
        if repetition.is_of_models() && outcome == Outcome::Reuse {
            return Err(reader.malformed("a model's result is given again"));
        }
        let reason = self.reason(reader)?;
        Ok((repetition.statement, repetition, reason))
    }
}

impl Known<'_> {
    pub(crate) fn truth(&self, reader: &mut Reader<'_>) -> Read<TruthOf> {
        let statement = Self::statement(reader)?;
        let verdict = self.verdict(reader, false)?;
        if verdict == Verdict::Reuse {
            return Err(reader.malformed("an invented result is given again"));
        }
        Ok((statement, TruthOf { statement, verdict }, self.reason(reader)?))
    }
}

/// An index of a list that ascends by its indexes.
fn index_of(reader: &mut Reader<'_>, rows: usize) -> Result<(u32, u32), LoadError> {
    let index = reader.index(rows)?;
    Ok((index, index))
}

/// What share of the calls may be retries.
fn share(reader: &mut Reader<'_>) -> Result<ShareTerms, LoadError> {
    Ok(ShareTerms { most: percent(reader)?, window_ns: above_zero(reader)?, least: reader.quantity()? })
}

/// A share above zero, in parts per million.
fn percent(reader: &mut Reader<'_>) -> Result<u64, LoadError> {
    let share = above_zero(reader)?;
    if share <= MILLION { Ok(share) } else { Err(reader.malformed("a share is more than all")) }
}

fn above_zero(reader: &mut Reader<'_>) -> Result<u64, LoadError> {
    let number = reader.quantity()?;
    if number > 0 { Ok(number) } else { Err(reader.malformed("a number is 0")) }
}

/// Two numbers of a loop, neither of them 0.
fn pair(reader: &mut Reader<'_>) -> Result<(u64, u64), LoadError> {
    let pair = (reader.quantity()?, reader.quantity()?);
    if pair.0 == 0 || pair.1 == 0 { Err(reader.malformed("a loop counts to 0")) } else { Ok(pair) }
}
