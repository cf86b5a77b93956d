//! A walk through the trees meets each rule that may be other than false, once; checked by running every
//! condition.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};

use super::clauses::Needs;
use super::forest::Forest;
use super::plant::Planter;
use crate::program::verify::balanced;
use crate::program::{Comparison, Condition, Const, Op, Predicate};
use crate::value::{Slot, Truth};

/// Facts 0 and 1 are numbers, 2 and 3 texts, 4 and 5 flags.
const FACTS: u32 = 6;
const NUMBERS: [i64; 9] = [i64::MIN, -7, 0, 1, 2, 3, 5, 8, i64::MAX];
const TEXTS: [&str; 12] =
    ["", "a", "ab", "abc", "abd", "b", "ba", "\0", "a\0", "abcdefghi", "abcdefghij", "ä"];

/// A condition as a tree, in the words of the language.
#[derive(Clone, Debug)]
enum Tree {
    Asks(u32, Asked),
    Has(u32),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Clone, Debug)]
enum Asked {
    Compare(Comparison, Const),
    Among(Vec<Const>),
    Starts(&'static str),
    Ends(&'static str),
}

impl Tree {
    /// As the compiler writes it: behind an operand a jump over the other one and their join.
    fn lower(&self, ops: &mut Vec<Op>) {
        match self {
            Self::Asks(fact, asked) => ops.push(Op::Ask { fact: *fact, predicate: asked.predicate() }),
            Self::Has(fact) => ops.push(Op::Has { fact: *fact }),
            Self::Not(tree) => {
                tree.lower(ops);
                ops.push(Op::Not);
            }
            Self::And(left, right) | Self::Or(left, right) => {
                left.lower(ops);
                let mut further = Vec::new();
                right.lower(&mut further);
                let skip = u32::try_from(further.len()).unwrap() + 1;
                let is_and = matches!(self, Self::And(..));
                ops.push(if is_and { Op::JumpIfFalse { skip } } else { Op::JumpIfTrue { skip } });
                ops.extend(further);
                ops.push(if is_and { Op::And } else { Op::Or });
            }
        }
    }

    fn condition(&self) -> Condition {
        let mut ops = Vec::new();
        self.lower(&mut ops);
        Condition::new(ops)
    }
}

impl Asked {
    fn predicate(&self) -> Predicate {
        match self {
            Self::Compare(comparison, value) => {
                Predicate::Compare { comparison: *comparison, value: value.clone() }
            }
            Self::Among(values) => Predicate::Member { values: values.clone().into() },
            Self::Starts(text) => Predicate::Starts { text: (*text).into() },
            Self::Ends(text) => Predicate::Ends { text: (*text).into() },
        }
    }
}

fn constant(fact: u32) -> BoxedStrategy<Const> {
    match fact {
        0 | 1 => select(&NUMBERS[..]).prop_map(Const::Int).boxed(),
        2 | 3 => select(&TEXTS[..]).prop_map(|text| Const::Text(text.into())).boxed(),
        _ => any::<bool>().prop_map(Const::Flag).boxed(),
    }
}

fn asked(fact: u32) -> BoxedStrategy<Asked> {
    let comparisons: &'static [Comparison] = match fact {
        0 | 1 => &Comparison::ALL,
        _ => &[Comparison::Equal, Comparison::NotEqual],
    };
    let compare = (select(comparisons), constant(fact));
    let compare = compare.prop_map(|(comparison, value)| Asked::Compare(comparison, value)).boxed();
    let among = prop::collection::btree_set(constant(fact), 0..4);
    let among = among.prop_map(|values| Asked::Among(values.into_iter().collect())).boxed();
    let starts = select(&TEXTS[..]).prop_map(Asked::Starts).boxed();
    let ends = select(&TEXTS[..]).prop_map(Asked::Ends).boxed();
    match fact {
        2 | 3 => prop_oneof![compare, among, starts, ends].boxed(),
        _ => prop_oneof![3 => compare, 1 => among].boxed(),
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        5 => (0..FACTS).prop_flat_map(|fact| asked(fact).prop_map(move |asked| Tree::Asks(fact, asked))),
        1 => (0..FACTS).prop_map(Tree::Has),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            3 => two.clone().prop_map(|(left, right)| Tree::And(left.into(), right.into())),
            2 => two.prop_map(|(left, right)| Tree::Or(left.into(), right.into())),
            1 => inner.prop_map(|tree| Tree::Not(tree.into())),
        ]
    })
}

fn slot(fact: u32) -> BoxedStrategy<Slot<'static>> {
    let value = match fact {
        0 | 1 => (select(&NUMBERS[..]), -1..=1_i64)
            .prop_map(|(number, by)| Slot::Int(number.saturating_add(by)))
            .boxed(),
        2 | 3 => select(&TEXTS[..]).prop_map(Slot::Text).boxed(),
        _ => any::<bool>().prop_map(Slot::Flag).boxed(),
    };
    prop_oneof![8 => value, 1 => Just(Slot::Missing), 1 => Just(Slot::Ill)].boxed()
}

fn slots() -> impl Strategy<Value = Vec<Slot<'static>>> {
    (0..FACTS).map(slot).collect::<Vec<_>>()
}

/// The machine once more, as plainly as can be.
fn truth(ops: &[Op], slots: &[Slot<'_>]) -> Truth {
    let (mut stack, mut place) = (Vec::new(), 0);
    while let Some(op) = ops.get(place) {
        place += 1;
        match op {
            Op::Ask { fact, predicate } => stack.push(ask(predicate, slots[*fact as usize])),
            Op::Has { fact } => stack.push(match slots[*fact as usize] {
                Slot::Missing => Truth::False,
                Slot::Ill => Truth::Unknown,
                _ => Truth::True,
            }),
            Op::AskEach { .. } => stack.push(Truth::Unknown),
            Op::Not => {
                let top = stack.pop().unwrap();
                stack.push(top.negate());
            }
            Op::And | Op::Or => {
                let (right, left): (Truth, Truth) = (stack.pop().unwrap(), stack.pop().unwrap());
                stack.push(if matches!(op, Op::And) { left.min(right) } else { left.max(right) });
            }
            Op::JumpIfFalse { skip } if stack.last() == Some(&Truth::False) => place += *skip as usize,
            Op::JumpIfTrue { skip } if stack.last() == Some(&Truth::True) => place += *skip as usize,
            Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => {}
        }
    }
    stack.pop().unwrap()
}

fn ask(predicate: &Predicate, slot: Slot<'_>) -> Truth {
    if matches!(slot, Slot::Missing | Slot::Ill) {
        return Truth::Unknown;
    }
    let text = || if let Slot::Text(text) = slot { text } else { "" };
    Truth::from(match predicate {
        Predicate::Compare { comparison, value } => comparison.holds(match (slot, value) {
            (Slot::Int(left), Const::Int(right)) => left.cmp(right),
            (Slot::Flag(left), Const::Flag(right)) => left.cmp(right),
            (Slot::Text(left), Const::Text(right)) => left.cmp(right),
            _ => unreachable!("facts keep their sort"),
        }),
        Predicate::Member { values } => values.iter().any(|value| value.as_slot() == slot),
        Predicate::Starts { text: start } => text().starts_with(&**start),
        Predicate::Ends { text: end } => text().ends_with(&**end),
    })
}

fn forest(conditions: &[Condition]) -> (Forest, u32) {
    let mut forest = Forest::default();
    let mut planter = Planter::new(&mut forest, |_, _| {});
    (0..).zip(conditions).for_each(|(rule, condition)| planter.add(rule, Some(condition)));
    let root = planter.plant();
    (forest, root)
}

fn met(forest: &Forest, root: u32, slots: &[Slot<'static>]) -> Vec<u32> {
    let mut met = Vec::new();
    forest.walk(root, (&[], &|fact| slots[fact as usize]), &mut |rule| met.push(rule));
    met.sort_unstable();
    met
}

fn open(conditions: &[Condition], slots: &[Slot<'_>]) -> Vec<u32> {
    let rules = (0..).zip(conditions);
    rules.filter(|(_, each)| truth(&each.ops, slots) != Truth::False).map(|(rule, _)| rule).collect()
}

/// Each rule that may be other than false is met, and none twice.
fn holds(conditions: &[Condition], slots: &[Vec<Slot<'static>>]) -> Result<(), TestCaseError> {
    let (forest, root) = forest(conditions);
    for slots in slots {
        let met = met(&forest, root, slots);
        prop_assert!(met.is_sorted_by(|left, right| left < right), "some rule is met twice: {met:?}");
        let mut missed = open(conditions, slots);
        missed.retain(|rule| met.binary_search(rule).is_err());
        prop_assert_eq!(&missed, &[], "hidden from {:?}", slots);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_rule_is_hidden_and_none_met_twice(
        trees in prop::collection::vec(tree(), 1..60),
        slots in prop::collection::vec(slots(), 8),
    ) {
        holds(&trees.iter().map(Tree::condition).collect::<Vec<_>>(), &slots)?;
    }

    /// Conditions that the loader takes, but no compiler writes: with an operation changed.
    #[test]
    fn conditions_of_any_shape_hide_nothing(
        trees in prop::collection::vec((tree(), any::<Pick>(), 0..10_u32, 1..10_u32), 4..40),
        slots in prop::collection::vec(slots(), 8),
    ) {
        let change = |(tree, at, what, skip): &(Tree, Pick, u32, u32)| {
            let mut ops = Vec::new();
            tree.lower(&mut ops);
            let is_jump = |op: &Op| matches!(op, Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. });
            let jumps: Vec<_> = (0..ops.len()).filter(|place| is_jump(&ops[*place])).collect();
            let at_a_jump = *what < 6 && !jumps.is_empty();
            let place = if at_a_jump { jumps[at.index(jumps.len())] } else { at.index(ops.len()) };
            ops[place] = match what {
                0..3 => Op::JumpIfFalse { skip: *skip },
                3..6 => Op::JumpIfTrue { skip: *skip },
                6 => Op::And,
                7 => Op::Or,
                8 => Op::Not,
                _ => Op::Has { fact: 0 },
            };
            Condition::new(ops)
        };
        let conditions: Vec<_> = trees.iter().map(change).filter(|each| balanced(each).is_ok()).collect();
        holds(&conditions, &slots)?;
    }
}

/// What a walk meets of rules that each ask for something else, of many.
#[test]
fn only_what_may_hold_is_met() {
    let asks = |fact: u32, asked: Asked| Box::new(Tree::Asks(fact, asked));
    let number = |comparison: Comparison, number: i64| Asked::Compare(comparison, Const::Int(number));
    let text = |text: String| Const::Text(text.into());
    let mut trees = Vec::new();
    for at in 0..1000_i64 {
        let name = |what: &str| text(format!("{what} {at}"));
        // A band of numbers; a set of texts with a flag beside it; either a number or a text; a pair, no
        // half of which tells much.
        let band = (number(Comparison::GreaterOrEqual, at * 10), number(Comparison::Less, at * 10 + 10));
        trees.push(Tree::And(asks(0, band.0), asks(0, band.1)));
        let set = asks(2, Asked::Among(vec![name("one"), name("other")]));
        trees.push(Tree::And(asks(4, Asked::Compare(Comparison::Equal, Const::Flag(true))), set));
        let either = asks(3, Asked::Compare(Comparison::Equal, name("either")));
        trees.push(Tree::Or(asks(1, number(Comparison::Equal, -at)), either));
        let first = asks(2, Asked::Compare(Comparison::Equal, text(format!("half {}", at / 32))));
        let second = asks(3, Asked::Compare(Comparison::Equal, text(format!("half {}", at % 32))));
        trees.push(Tree::And(first, second));
    }
    let conditions: Vec<_> = trees.iter().map(Tree::condition).collect();
    let (forest, root) = forest(&conditions);
    let met = |slots: [Slot<'static>; 6]| met(&forest, root, &slots);
    let none = [Slot::Int(-1), Slot::Int(7), Slot::Text("x"), Slot::Text("y"), Slot::Flag(true), Slot::Ill];
    assert_eq!(met(none), [0_u32; 0]);
    let [_, seven, x, y, yes, ill] = none;
    assert_eq!(met([Slot::Int(5555), seven, x, y, yes, ill]), [4 * 555]);
    assert_eq!(met([none[0], Slot::Int(-500), x, Slot::Text("either 600"), yes, ill]), [2002, 2402]);
    assert_eq!(met([none[0], Slot::Int(-500), x, Slot::Text("either 500"), yes, ill]), [2002]);
    assert_eq!(met([none[0], seven, Slot::Text("other 30"), y, yes, ill]), [4 * 30 + 1]);
    assert_eq!(met([none[0], seven, Slot::Text("half 3"), Slot::Text("half 5"), yes, ill]), [4 * 101 + 3]);
    // Unknown is not false: all that ask about it are met, but those that something else rules out.
    assert_eq!(met([Slot::Missing, seven, x, y, yes, ill]).len(), 1000);
    assert_eq!(met([none[0], seven, Slot::Ill, Slot::Text("half 5"), yes, ill]).len(), 1000 + 32);
}

/// The lowest of many thresholds lets through more of what is named than the others: that says nothing of
/// what comes.
#[test]
fn every_one_of_many_thresholds_is_looked_up() {
    let above = |number| Asked::Compare(Comparison::Greater, Const::Int(number));
    let conditions: Vec<_> = (100..200).map(|number| Tree::Asks(0, above(number)).condition()).collect();
    let (forest, root) = forest(&conditions);
    let met = |number| met(&forest, root, &[Slot::Int(number)]).len();
    assert_eq!((met(99), met(103), met(500)), (0, 3, 100));
}

/// A jump that goes further than past the end of its join decides more than its operand does.
#[test]
fn a_jump_past_another_join_is_no_part_of_a_tree() {
    let has = |fact: u32| Op::Has { fact };
    // Fact 0, or fact 1 and fact 2: but where fact 0 is there, all is true at once.
    let ops = |skip: u32| {
        vec![has(0), Op::JumpIfTrue { skip }, has(1), Op::Or, Op::JumpIfFalse { skip: 2 }, has(2), Op::And]
    };
    let (whole, astray) = (Condition::new(ops(2)), Condition::new(ops(5)));
    assert_eq!((balanced(&whole), balanced(&astray)), (Ok(()), Ok(())));
    let clauses = |condition: &Condition| {
        let mut clauses = Vec::new();
        Needs::default().add(condition, &mut clauses);
        clauses.len()
    };
    assert_eq!((clauses(&whole), clauses(&astray)), (2, 0));
}
