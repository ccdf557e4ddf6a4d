//! PURE. What differs between a definition as it is stored and as it would be.

use serde::Serialize;
use serde_json::Value;

/// One line for each member that would change.
pub fn changes<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let show = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            format!(
                "{name}: {} -> {}",
                show(before.get(name)),
                show(after.get(name))
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_that_change_come_or_go_are_told() {
        let before = json!({"a": 1, "b": "x", "gone": [1]});
        let after = json!({"a": 1, "b": "y", "new": true});
        assert_eq!(
            changes(&before, &after),
            [
                "b: \"x\" -> \"y\"",
                "gone: [1] -> none",
                "new: none -> true"
            ]
        );
        assert!(changes(&before, &before).is_empty());
    }
}
