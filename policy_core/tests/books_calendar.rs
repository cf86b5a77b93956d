//! Windows of the calendar, against days computed by hand and against a slow count.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

use policy_core::books::{Period, Zone};
use proptest::prelude::*;

/// `2026-03-29T01:00` as nanoseconds since the Unix epoch.
fn at(text: &str) -> u64 {
    let numbers: Vec<u64> = text.split(['-', 'T', ':']).map(|part| part.parse().unwrap()).collect();
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut days: u64 = (1970..numbers[0]).map(|year| 365 + u64::from(leap(year))).sum();
    let lengths = [31, 28 + u64::from(leap(numbers[0])), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += lengths.iter().take(usize::try_from(numbers[1] - 1).unwrap()).sum::<u64>() + numbers[2] - 1;
    (days * 86_400 + numbers[3] * 3_600 + numbers[4] * 60) * 1_000_000_000
}

fn zone(name: &str, before: i64, transitions: &[(&str, i64)]) -> Zone {
    let transitions = transitions.iter().map(|(when, offset)| (at(when) / 1_000_000_000, *offset)).collect();
    Zone { name: name.into(), before, transitions }
}

fn rome() -> Zone {
    zone("Europe/Rome", 3_600, &[("2026-03-29T01:00", 7_200), ("2026-10-25T01:00", 3_600)])
}

#[track_caller]
fn check(period: Period, zone: &Zone, inside: &[&str], start: &str, end: &str) -> i64 {
    let (number, from, to) = period.window(zone, at(inside[0]));
    assert_eq!((from, to), (at(start), at(end)));
    for text in inside {
        assert_eq!(period.window(zone, at(text)), (number, from, to), "{text}");
    }
    assert_eq!(period.window(zone, from), (number, from, to), "the first instant");
    assert_eq!(period.window(zone, to - 1), (number, from, to), "the last instant");
    assert!(period.window(zone, from - 1).0 < number && period.window(zone, to).0 > number);
    assert_eq!(period.window(zone, to).1, to, "the next window begins where this one ends");
    assert_eq!(period.numbered(zone, number), (number, from, to));
    number
}

#[test]
fn a_day_of_rome_has_23_hours_in_spring_and_25_in_autumn() {
    let rome = rome();
    let inside = ["2026-03-28T23:00", "2026-03-29T00:59", "2026-03-29T01:00", "2026-03-29T21:59"];
    check(Period::Day, &rome, &inside, "2026-03-28T23:00", "2026-03-29T22:00");
    let inside = ["2026-10-24T22:00", "2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T22:59"];
    check(Period::Day, &rome, &inside, "2026-10-24T22:00", "2026-10-25T23:00");
}

#[test]
fn an_hour_that_the_clock_leaves_out_is_no_window_and_one_that_it_repeats_is_one() {
    let rome = rome();
    let one = check(Period::Hour, &rome, &["2026-03-29T00:30"], "2026-03-29T00:00", "2026-03-29T01:00");
    let three = check(Period::Hour, &rome, &["2026-03-29T01:30"], "2026-03-29T01:00", "2026-03-29T02:00");
    assert_eq!(three, one + 2);
    let inside = ["2026-10-25T00:10", "2026-10-25T00:50", "2026-10-25T01:10", "2026-10-25T01:59"];
    let two = check(Period::Hour, &rome, &inside, "2026-10-25T00:00", "2026-10-25T02:00");
    let three = check(Period::Hour, &rome, &["2026-10-25T02:30"], "2026-10-25T02:00", "2026-10-25T03:00");
    assert_eq!(three, two + 1);
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    let zone =
        zone("Australia/Lord_Howe", 39_600, &[("2026-04-04T15:00", 37_800), ("2026-10-03T15:30", 39_600)]);
    let inside = ["2026-04-04T14:30", "2026-04-04T15:10"];
    check(Period::Hour, &zone, &inside, "2026-04-04T14:00", "2026-04-04T15:30");
    check(Period::Hour, &zone, &["2026-10-03T15:45"], "2026-10-03T15:30", "2026-10-03T16:00");
    check(Period::Day, &zone, &["2026-04-04T20:00"], "2026-04-04T13:00", "2026-04-05T13:30");
    check(Period::Day, &zone, &["2026-10-03T20:00"], "2026-10-03T13:30", "2026-10-04T13:00");
}

#[test]
fn a_clock_set_back_over_midnight_does_not_open_the_day_again() {
    // At one minute past midnight it became a minute past eleven.
    let zone = zone("America/St_Johns", -9_000, &[("2010-11-07T02:31", -12_600)]);
    let inside = ["2010-11-07T02:30", "2010-11-07T02:31", "2010-11-07T03:29"];
    check(Period::Day, &zone, &inside, "2010-11-07T02:30", "2010-11-08T03:30");
    check(Period::Day, &zone, &["2010-11-07T02:29"], "2010-11-06T02:30", "2010-11-07T02:30");
    check(Period::Hour, &zone, &inside, "2010-11-07T02:30", "2010-11-07T04:30");
}

#[test]
fn a_day_that_samoa_left_out_is_no_window() {
    let zone = zone("Pacific/Apia", -36_000, &[("2011-12-30T10:00", 50_400)]);
    let last = check(Period::Day, &zone, &["2011-12-30T09:59"], "2011-12-29T10:00", "2011-12-30T10:00");
    let next = check(Period::Day, &zone, &["2011-12-30T10:00"], "2011-12-30T10:00", "2011-12-31T10:00");
    assert_eq!(next, last + 2);
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    let rome = rome();
    check(Period::Week, &rome, &["2026-03-25T12:00"], "2026-03-22T23:00", "2026-03-29T22:00");
    check(Period::Month, &rome, &["2026-03-15T12:00"], "2026-02-28T23:00", "2026-03-31T22:00");
    let utc = Zone::utc();
    let number = check(Period::Month, &utc, &["2024-02-29T23:59"], "2024-02-01T00:00", "2024-03-01T00:00");
    assert_eq!(number, 2024 * 12 + 1);
    check(Period::Month, &utc, &["2026-12-31T23:59"], "2026-12-01T00:00", "2027-01-01T00:00");
    check(Period::Week, &utc, &["1970-01-05T00:00"], "1970-01-05T00:00", "1970-01-12T00:00");
    assert_eq!(Period::Week.window(&utc, 0).0, 0);
    assert_eq!(Period::Hour.window(&utc, u64::MAX).0, 5_124_095);
}

const STEP: i64 = 900;

fn slow(period: Period, local: i64) -> i64 {
    let days = local.div_euclid(86_400);
    match period {
        Period::Hour => local.div_euclid(3_600),
        Period::Day => days,
        Period::Week => (days + 3).div_euclid(7),
        Period::Month => {
            let (mut year, mut left) = (1970, days);
            loop {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                for (month, length) in
                    [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].iter().enumerate()
                {
                    if left < *length {
                        return year * 12 + i64::try_from(month).unwrap();
                    }
                    left -= length;
                }
                year += 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any zone, however wild: numbers never go down, and a window is exactly the instants of its number.
    #[test]
    fn windows_are_what_a_slow_count_finds(
        before in -96_i64..=96,
        jumps in proptest::collection::vec((1_i64..600, -96_i64..=96), 0..6),
        period in prop_oneof![Just(Period::Hour), Just(Period::Day), Just(Period::Week)],
    ) {
        let begin = 700 * 86_400;
        let mut second = begin + 200 * STEP;
        let mut transitions = Vec::new();
        for (steps, offset) in jumps {
            second += steps * STEP;
            transitions.push((u64::try_from(second).unwrap(), offset * STEP));
        }
        let zone = Zone { name: "Wild".into(), before: before * STEP, transitions };
        let last = begin + 4_000 * STEP;
        let (mut numbers, mut most) = (Vec::new(), i64::MIN);
        for instant in (begin..last).step_by(usize::try_from(STEP).unwrap()) {
            let passed = zone.transitions.iter().rev().find(|(at, _)| i64::try_from(*at).unwrap() <= instant);
            most = most.max(slow(period, instant + passed.map_or(zone.before, |(_, offset)| *offset)));
            numbers.push((instant, most));
        }
        for (place, (instant, number)) in numbers.iter().enumerate() {
            let found = period.window(&zone, u64::try_from(*instant).unwrap() * 1_000_000_000 + 17);
            prop_assert_eq!(found.0, *number, "at {}", instant);
            let next = numbers.get(place + 1).map(|(_, next)| next == number);
            if next == Some(false) {
                prop_assert_eq!(found.2, u64::try_from(instant + STEP).unwrap() * 1_000_000_000);
            } else if next == Some(true) {
                prop_assert!(found.2 > u64::try_from(instant + STEP).unwrap() * 1_000_000_000);
            }
            if place > 0 && numbers[place - 1].1 != *number {
                prop_assert_eq!(found.1, u64::try_from(*instant).unwrap() * 1_000_000_000);
            }
        }
    }

    #[test]
    fn months_are_what_a_slow_count_finds(second in 0_i64..6_000_000_000) {
        let wall = u64::try_from(second).unwrap() * 1_000_000_000;
        let (number, start, end) = Period::Month.window(&Zone::utc(), wall);
        prop_assert_eq!(number, slow(Period::Month, second));
        let [start, end] = [start, end].map(|wall| i64::try_from(wall / 1_000_000_000).unwrap());
        prop_assert_eq!((slow(Period::Month, start), slow(Period::Month, end)), (number, number + 1));
        prop_assert_eq!(slow(Period::Month, end - 1), number);
        prop_assert!(start == 0 || slow(Period::Month, start - 1) == number - 1);
    }
}
