//! The known name that a mistaken one probably means.

/// The nearest of `known` to `name`, if it is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let farthest = name.chars().count().div_ceil(4).max(2);
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(far, _)| *far <= farthest)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance: how many letters to insert, drop or replace.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        let mut next = vec![left];
        for (above, wanted) in row.iter().skip(1).zip(&other) {
            let replaced = diagonal.saturating_add(usize::from(letter != *wanted));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances_count_single_letters() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("data.clas", "data.class"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = || ["data.class", "step.kind"].into_iter();
        assert_eq!(nearest("data.clas", known()), Some("data.class"));
        assert_eq!(nearest("user.tier", known()), None);
    }
}
