//! Windows of the calendar: pure functions of an instant and a zone.
//!
//! A window is numbered by its local time: hours, days, weeks from Monday, months. INVARIANT (calendar):
//! the number of an instant is never less than that of an earlier one. So an hour that the clock repeats is
//! one window, and one that it leaves out is none.

use std::sync::Arc;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;
/// Zones are at most a day from UTC, so a clock is never set back by more than this.
const LONGEST_REPEAT: i64 = 172_800;

/// A civil time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// As the time zone database calls it.
    pub name: Arc<str>,
    /// Seconds east of UTC before the first transition.
    pub before: i64,
    /// (Unix second, seconds east of UTC from then on), ascending.
    pub transitions: Vec<(u64, i64)>,
}

impl Zone {
    /// The zone without transitions that is nobody's civil time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".into(), before: 0, transitions: Vec::new() }
    }

    /// The local time of an instant in nanoseconds since the Unix epoch: whole seconds, and what is beyond.
    pub(crate) fn local(&self, wall: u64) -> (i64, u64) {
        let second = signed(wall.checked_div(SECOND).unwrap_or_default());
        let local = second.saturating_add(self.offset(self.passed(second)));
        (local, wall.checked_rem(SECOND).unwrap_or_default())
    }

    /// How many transitions are not later than this.
    fn passed(&self, second: i64) -> usize {
        self.transitions.partition_point(|(at, _)| signed(*at) <= second)
    }

    /// Seconds east of UTC after so many transitions.
    fn offset(&self, passed: usize) -> i64 {
        let last = passed.checked_sub(1).and_then(|place| self.transitions.get(place));
        last.map_or(self.before, |(_, offset)| *offset)
    }

    /// The first instant whose local time is not before this.
    fn first(&self, local: i64) -> i64 {
        let mut passed = self.passed(local.saturating_sub(LONGEST_REPEAT));
        loop {
            let begin = passed.checked_sub(1).and_then(|place| self.transitions.get(place));
            let begin = begin.map_or(i64::MIN, |(at, _)| signed(*at));
            let at = begin.max(local.saturating_sub(self.offset(passed)));
            match self.transitions.get(passed) {
                Some((end, _)) if at >= signed(*end) => passed = passed.saturating_add(1),
                _ => return at,
            }
        }
    }
}

/// How long a window of the calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

impl Period {
    /// The number of the window with this local second.
    fn number(self, local: i64) -> i64 {
        let days = local.div_euclid(DAY);
        match self {
            Self::Hour => local.div_euclid(HOUR),
            Self::Day => days,
            // The epoch was a Thursday.
            Self::Week => days.saturating_add(3).div_euclid(7),
            Self::Month => month_of(days),
        }
    }

    /// The first local second of the window with this number.
    fn begin(self, number: i64) -> i64 {
        match self {
            Self::Hour => number.saturating_mul(HOUR),
            Self::Day => number.saturating_mul(DAY),
            Self::Week => number.saturating_mul(7).saturating_sub(3).saturating_mul(DAY),
            Self::Month => first_day(number).saturating_mul(DAY),
        }
    }

    /// The window of an instant in nanoseconds since the Unix epoch: its number, its first instant and the
    /// first one after it.
    #[must_use]
    pub fn window(self, zone: &Zone, wall: u64) -> (i64, u64, u64) {
        let second = signed(wall.checked_div(SECOND).unwrap_or_default());
        let mut number = self.number(zone.local(wall).0);
        let mut end = zone.first(self.begin(number.saturating_add(1)));
        // The clock was set back across a border: the window that had begun goes on.
        while end <= second {
            number = number.saturating_add(1);
            end = zone.first(self.begin(number.saturating_add(1)));
        }
        (number, nanoseconds(zone.first(self.begin(number))), nanoseconds(end))
    }

    /// The window with this number, as [`Period::window`] tells it.
    #[must_use]
    pub fn numbered(self, zone: &Zone, number: i64) -> (i64, u64, u64) {
        let end = zone.first(self.begin(number.saturating_add(1)));
        (number, nanoseconds(zone.first(self.begin(number))), nanoseconds(end))
    }
}

/// Whether a window that ends there is over at an instant. The last one that a clock can show never is.
pub(super) const fn is_over(end: u64, wall: u64) -> bool {
    wall >= end && end < u64::MAX
}

fn signed(second: u64) -> i64 {
    i64::try_from(second).unwrap_or(i64::MAX)
}

fn nanoseconds(second: i64) -> u64 {
    u64::try_from(second).unwrap_or_default().saturating_mul(SECOND)
}

/// Year times twelve and month from 0, of a day since the epoch. The year of this reckoning begins in
/// March, so that a leap day is its last.
pub(crate) fn month_of(days: i64) -> i64 {
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = (day / 1_460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(leaps) / 365;
    let day = day.saturating_sub(days_of_years(year));
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    // March is 2 from the January that the year is counted from.
    era.saturating_mul(400).saturating_add(year).saturating_mul(12).saturating_add(month).saturating_add(2)
}

/// The first day of a month, numbered as [`month_of`] does.
pub(crate) fn first_day(number: i64) -> i64 {
    let number = number.saturating_sub(2);
    let (year, month) = (number.div_euclid(12), number.rem_euclid(12));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = month.saturating_mul(153).saturating_add(2) / 5;
    let days = days_of_years(year).saturating_add(day);
    era.saturating_mul(146_097).saturating_add(days).saturating_sub(719_468)
}

/// The days of so many years from the start of a cycle of 400.
fn days_of_years(years: i64) -> i64 {
    years.saturating_mul(365).saturating_add(years / 4).saturating_sub(years / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_the_civil_calendar() {
        let mut days = -719_528; // 0000-01-01
        for year in 0_i64..2_500 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (month, length) in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
                let number = year * 12 + i64::try_from(month).unwrap();
                assert_eq!(first_day(number), days, "{year}-{month}");
                let length = length + i64::from(is_leap && month == 1);
                assert_eq!((month_of(days), month_of(days + length - 1)), (number, number), "{year}-{month}");
                days += length;
            }
        }
    }
}
