//! What the clock on a wall shows, in the zone of the policy: a pure function of an instant.

use crate::books::Zone;
use crate::books::calendar::{DAY, HOUR, SECOND, first_day, month_of};
use crate::value::{Dimension, Slot};

/// The days of a week, as policies name them.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// One of the things that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// `now.hour`, 0 to 23
    Hour,
    /// `now.time`, since midnight as the clock has it
    Time,
    /// `now.weekday`
    Weekday,
    /// `now.day`, of the month, from 1
    Day,
    /// `now.month`, from 1
    Month,
}

impl Shown {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "hour" => Some(Self::Hour),
            "time" => Some(Self::Time),
            "weekday" => Some(Self::Weekday),
            "day" => Some(Self::Day),
            "month" => Some(Self::Month),
            _ => None,
        }
    }

    pub(crate) const fn dimension(self) -> Dimension {
        match self {
            Self::Hour | Self::Day | Self::Month => Dimension::Count,
            Self::Time => Dimension::Duration,
            Self::Weekday => Dimension::Text,
        }
    }

    /// Whether a text is the name of a weekday, which is nobody's secret.
    #[must_use]
    pub fn is_weekday(text: &str) -> bool {
        WEEKDAYS.contains(&text)
    }

    /// What a clock in this zone shows at an instant, in nanoseconds since the Unix epoch.
    pub(crate) fn at(self, zone: &Zone, wall: u64) -> Slot<'static> {
        let (local, rest) = zone.local(wall);
        let (days, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        match self {
            Self::Hour => Slot::Int(second.div_euclid(HOUR)),
            Self::Time => {
                let whole = second.saturating_mul(i64::try_from(SECOND).unwrap_or(i64::MAX));
                Slot::Int(whole.saturating_add(i64::try_from(rest).unwrap_or(i64::MAX)))
            }
            Self::Weekday => {
                // The epoch was a Thursday.
                let day = usize::try_from(days.saturating_add(3).rem_euclid(7)).unwrap_or_default();
                WEEKDAYS.get(day).map_or(Slot::Missing, |name| Slot::Text(name))
            }
            Self::Day => {
                let before = first_day(month_of(days));
                Slot::Int(days.saturating_sub(before).saturating_add(1))
            }
            Self::Month => Slot::Int(month_of(days).rem_euclid(12).saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_its_own_zone() {
        let rome = Zone {
            name: "Europe/Rome".into(),
            before: 3_600,
            transitions: vec![(1_774_746_000, 7_200), (1_792_890_000, 3_600)],
        };
        let shown = |what: Shown, second: u64| what.at(&rome, second * SECOND + 5);
        // 29 March 2026, 00:59:59 and 01:00:00 UTC: the clock goes from 2 to 3.
        assert_eq!(shown(Shown::Hour, 1_774_745_999), Slot::Int(1));
        assert_eq!(shown(Shown::Hour, 1_774_746_000), Slot::Int(3));
        assert_eq!(shown(Shown::Time, 1_774_746_000), Slot::Int(10_800_000_000_005));
        assert_eq!(shown(Shown::Weekday, 1_774_746_000), Slot::Text("sunday"));
        assert_eq!(shown(Shown::Day, 1_774_746_000), Slot::Int(29));
        assert_eq!(shown(Shown::Month, 1_774_746_000), Slot::Int(3));
        // 25 October 2026, 00:30 and 01:30 UTC: it shows 02:30 twice.
        assert_eq!(shown(Shown::Time, 1_792_888_200), shown(Shown::Time, 1_792_891_800));
    }

    #[test]
    fn before_the_epoch_in_the_west() {
        let west = Zone { name: "x".into(), before: -3_600, transitions: Vec::new() };
        let seen = [Shown::Hour, Shown::Weekday, Shown::Day, Shown::Month].map(|what| what.at(&west, 0));
        assert_eq!(seen, [Slot::Int(23), Slot::Text("wednesday"), Slot::Int(31), Slot::Int(12)]);
    }
}
