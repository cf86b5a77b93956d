//! Breakers: what each of them watches, and which of them concern a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::health::{BreakerTerms, Place};
use crate::program::index::Selected;
use crate::program::statements::Selector;
use crate::program::tables::{Model, Tables, ToolClass};

/// What a breaker watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Each model or tool by itself.
    Calls(Selector),
    /// Each provider.
    AnyProvider,
    /// One, by the first of its models.
    Provider(u32),
}

#[derive(Debug)]
pub(crate) struct Breaker {
    pub(crate) statement: u32,
    pub(crate) watch: Watch,
    pub(crate) terms: BreakerTerms,
}

/// Who serves the models. A provider is known by the first of its models.
#[derive(Debug)]
pub(crate) struct Providers<'a> {
    pub(crate) firsts: BTreeMap<&'a str, u32>,
    of_models: Vec<u32>,
}

impl<'a> Providers<'a> {
    pub(crate) fn new(models: &'a [Model]) -> Self {
        let (mut firsts, mut of_models) = (BTreeMap::new(), Vec::with_capacity(models.len()));
        // Many models may have one long target, which is kept once: it is looked at once, too.
        let mut known = BTreeMap::new();
        for (index, model) in (0..=u32::MAX).zip(models) {
            let place = Arc::as_ptr(&model.target).cast::<u8>();
            let first =
                *known.entry(place).or_insert_with(|| *firsts.entry(provider(model)).or_insert(index));
            of_models.push(first);
        }
        Self { firsts, of_models }
    }
}

/// Who serves a model: what its target begins with, up to the first `/`.
fn provider(model: &Model) -> &str {
    model.target.split_once('/').map_or(&*model.target, |(provider, _)| provider)
}

/// Breakers by what they watch.
#[derive(Debug)]
pub(crate) struct Watched {
    calls: Selected,
    any_provider: Vec<u32>,
    /// (first model, breaker), ascending.
    providers: Vec<(u32, u32)>,
    /// For each model: the first one of its provider.
    first_models: Vec<u32>,
}

impl Watched {
    pub(crate) fn new(tables: &Tables) -> Self {
        let (mut calls, mut any_provider, mut providers) = (Vec::new(), Vec::new(), Vec::new());
        for (index, breaker) in tables.breakers.numbered() {
            match breaker.watch {
                Watch::Calls(selector) => calls.push((index, selector)),
                Watch::AnyProvider => any_provider.push(index),
                Watch::Provider(first) => providers.push((first, index)),
            }
        }
        providers.sort_unstable();
        let first_models = Providers::new(tables.models.all()).of_models;
        Self { calls: Selected::of(tables, calls.into_iter()), any_provider, providers, first_models }
    }

    /// The circuits that calls of this model pass.
    pub(crate) fn of_model(&self, model: u32) -> impl Iterator<Item = Place> {
        let first = self.first_models.get(model as usize).copied().unwrap_or(model);
        let from = self.providers.partition_point(|(known, _)| *known < first);
        let named = self.providers.iter().skip(from).take_while(move |(known, _)| *known == first);
        let of_provider = self.any_provider.iter().copied().chain(named.map(|(_, breaker)| *breaker));
        let own = self.calls.of_model(model).map(move |breaker| (breaker, model));
        own.chain(of_provider.map(move |breaker| (breaker, first)))
    }

    /// The circuits that calls of this tool pass.
    pub(crate) fn of_tool(&self, tool: u32, class: ToolClass) -> impl Iterator<Item = Place> {
        self.calls.of_tool(tool, class).map(move |breaker| (breaker, tool))
    }
}
