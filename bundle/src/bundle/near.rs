//! PURE. What somebody may have meant: names that differ in case, in separators, or in one place.

/// Most characters that may differ, in one place.
const FARTHEST: usize = 2;

/// The one of `known` that is nearest to `name`; `None` where none is near.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let asked = folded(name);
    known
        .into_iter()
        .filter_map(|known| Some((apart(&asked, &folded(known))?, known)))
        .min_by_key(|(far, _)| *far)
        .map(|(_, known)| known)
}

/// `name` in quotes as part of a cure: "Did you mean …?"; empty where nothing is near.
pub(super) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(known) => format!(" Did you mean \"{known}\"?"),
        None => String::new(),
    }
}

fn folded(name: &str) -> Vec<char> {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many characters differ between what both begin and end with; `None` where that is too much to be a slip.
fn apart(one: &[char], other: &[char]) -> Option<usize> {
    let start = common(one.iter().zip(other));
    let rest = one.len().min(other.len()).saturating_sub(start);
    let end = common(one.iter().rev().zip(other.iter().rev())).min(rest);
    let far = one.len().max(other.len()).saturating_sub(start + end);
    (far <= FARTHEST && start + end > far).then_some(far)
}

fn common<T: PartialEq>(pairs: impl Iterator<Item = (T, T)>) -> usize {
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_taken_for_what_was_meant() {
        for (name, meant) in [
            ("msgraph", "msGraph"),
            ("ms-graph", "msGraph"),
            ("msGrahp", "msGraph"),
            ("msGraphs", "msGraph"),
            ("mGraph", "msGraph"),
            ("googel", "google"),
        ] {
            assert_eq!(nearest(name, ["google", "msGraph"]), Some(meant), "{name}");
        }
    }

    #[test]
    fn what_is_far_is_not_suggested() {
        for name in ["", "x", "gr", "calendar", "msGraphCalendar"] {
            assert_eq!(nearest(name, ["google", "msGraph"]), None, "{name}");
        }
        assert_eq!(nearest("a", ["b", "ab"]), None);
        assert_eq!(did_you_mean("far", ["away"]), "");
        assert_eq!(did_you_mean("Url", ["url"]), " Did you mean \"url\"?");
    }
}
