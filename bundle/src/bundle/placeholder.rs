//! PURE. What a template or an export puts in place of a value.

/// True for what a template or an export puts in place of a value.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let bracketed = [("<", ">"), ("${", "}"), ("{{", "}}"), ("[", "]")]
        .iter()
        .any(|(open, close)| text.starts_with(open) && text.ends_with(close));
    let worded = [
        "your-",
        "your_",
        "your ",
        "yourclient",
        "insert-",
        "insert ",
        "replace-",
        "replace ",
        "enter-",
    ]
    .iter()
    .any(|start| text.starts_with(start));
    let named = [
        "changeme",
        "change-me",
        "placeholder",
        "todo",
        "client-id",
        "client-secret",
    ]
    .contains(&text.as_str());
    let masked = text
        .chars()
        .all(|character| matches!(character, '*' | 'x' | '•' | '.' | '-'));
    text.is_empty() || bracketed || worded || named || masked
}
