//! PURE. Texts with `{NAME}` in them.

/// A part of such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands. Holds a brace only where the text is not well formed.
    Text(&'t str),
    /// The name between braces.
    Name(&'t str),
}

/// The parts of `text`, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once('{') {
        let Some((name, after)) = opened.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            parts.push(Piece::Text(before));
        }
        parts.push(Piece::Name(name));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Piece::Text(rest));
    }
    parts
}

/// The names in `text`.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// Whether every brace of `text` belongs to a placeholder.
pub(super) fn is_well_formed(text: &str) -> bool {
    pieces(text).iter().all(|piece| match piece {
        Piece::Text(text) => !text.contains(['{', '}']),
        Piece::Name(name) => !name.is_empty() && !name.contains('{'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_placeholders() {
        assert_eq!(
            pieces("https://{host}/a/{v}"),
            [
                Piece::Text("https://"),
                Piece::Name("host"),
                Piece::Text("/a/"),
                Piece::Name("v")
            ]
        );
        assert_eq!(names("{a}{b}c").collect::<Vec<_>>(), ["a", "b"]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn a_brace_without_its_other_half_is_no_placeholder() {
        for text in ["{a", "a}", "{a}}", "{{a}", "{}"] {
            assert!(!is_well_formed(text), "{text}");
        }
        assert!(is_well_formed("{a}/{b}") && is_well_formed("plain"));
    }
}
