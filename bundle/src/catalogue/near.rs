//! PURE. How far two spellings are apart.

/// Levenshtein distance: insertions, deletions and replacements.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let mut above: Vec<usize> = (0..=other.chars().count()).collect();
    for (row, left) in one.chars().enumerate() {
        let mut current = row + 1;
        let mut below = vec![current];
        for ((right, diagonal), over) in other.chars().zip(&above).zip(above.iter().skip(1)) {
            current = (diagonal + usize::from(left != right))
                .min(over + 1)
                .min(current + 1);
            below.push(current);
        }
        above = below;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_insertions_deletions_and_replacements() {
        for (one, other, far) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
        }
    }
}
