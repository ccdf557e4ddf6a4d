//! One guard broken at a time, at the wire: requests of the shape a guard has are rewritten on their way to the table.
//! Production code carries no switch for it.

use serde_json::Value;

/// A guard that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Saves no longer ask whether the claim is the newest.
    Fence,
    /// Saves no longer ask for the refresh token that was spent.
    Fingerprint,
    /// Neither grant nor spent token are asked for: each of the two stands in for the other.
    GrantId,
    /// A refused write no longer brings the row as it stands.
    LostAck,
    /// Claims no longer ask whether another's lease holds, or its attempt is open: each of the two stands in for the other.
    Claim,
    /// Open attempts are taken over at once.
    RecoveryWait,
    /// A clock 45 seconds slow is taken for a good one: access tokens are handed out past their margin.
    Margin,
    /// Answers carry no `Date`: a clock five minutes off goes unnoticed.
    Clock,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Fence,
        Self::Fingerprint,
        Self::GrantId,
        Self::LostAck,
        Self::Claim,
        Self::RecoveryWait,
        Self::Margin,
        Self::Clock,
    ];

    /// As the table of results names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence (epoch)",
            Self::Fingerprint => "fingerprint",
            Self::GrantId => "grant id (and fingerprint)",
            Self::LostAck => "lost acknowledgement",
            Self::Claim => "claim (lease and attempt)",
            Self::RecoveryWait => "recovery wait",
            Self::Margin => "margin",
            Self::Clock => "clock check",
        }
    }
}

const CONDITION: &str = "ConditionExpression";

/// The request as the mutant has it. Values stay in use: the table refuses values that no expression names.
pub(crate) fn rewritten(mutant: Mutant, operation: &str, body: String) -> String {
    if operation != "UpdateItem" {
        return body;
    }
    let Ok(mut request) = serde_json::from_str::<Value>(&body) else {
        return body;
    };
    let Some(condition) = request[CONDITION].as_str().map(str::to_owned) else {
        return body;
    };
    let loose = |guard: &str| {
        let open = format!("({guard} OR attribute_exists(pk))");
        condition.replacen(guard, &open, 1)
    };
    let changed = match mutant {
        Mutant::Fence => loose("e = :e"),
        Mutant::Fingerprint => loose("f = :spent"),
        Mutant::GrantId => {
            loose("g = :g").replacen("f = :spent", "(f = :spent OR attribute_exists(pk))", 1)
        }
        Mutant::Claim => condition
            .replacen(
                "(attribute_not_exists(lu) OR lu <= :now",
                "(attribute_not_exists(lu) OR attribute_exists(lu) OR lu <= :now",
                1,
            )
            .replacen(
                "attribute_not_exists(we)",
                "(attribute_not_exists(we) OR attribute_exists(we))",
                1,
            )
            .replacen("we = :seen", "(we = :seen OR attribute_exists(pk))", 1),
        Mutant::LostAck | Mutant::RecoveryWait | Mutant::Margin | Mutant::Clock => return body,
    };
    // The fence is two equal questions: the epoch of the row, and that of its open attempt.
    let changed = match mutant {
        Mutant::Fence => {
            changed.replacen(" AND we = :e", " AND (we = :e OR attribute_exists(pk))", 1)
        }
        _ => changed,
    };
    request[CONDITION] = changed.into();
    request.to_string()
}

/// A refusal as the mutant has it: without the row, or with a row that looks as the writer would like it.
pub(crate) fn refusal(mutant: Mutant, request: &str, answer: String) -> String {
    let parsed = serde_json::from_str::<Value>(&answer);
    let (Ok(mut refusal), Ok(request)) = (parsed, serde_json::from_str::<Value>(request)) else {
        return answer;
    };
    let values = &request["ExpressionAttributeValues"];
    let Some(fields) = refusal.as_object_mut() else {
        return answer;
    };
    let names: &[(&str, &str)] = match mutant {
        Mutant::LostAck => {
            fields.remove("Item");
            &[]
        }
        Mutant::Fingerprint => &[("f", ":spent")],
        Mutant::GrantId => &[("f", ":spent"), ("g", ":g")],
        _ => &[],
    };
    if let Some(item) = fields.get_mut("Item") {
        for (attribute, value) in names {
            if values[*value].is_object() {
                item[*attribute] = values[*value].clone();
            }
        }
    }
    refusal.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_guard_asks_nothing_and_leaves_the_others() {
        let save = r#"{"ConditionExpression":"g = :g AND f = :spent AND e = :e AND we = :e"}"#;
        let broken = |mutant| {
            let body = rewritten(mutant, "UpdateItem", save.to_owned());
            let body: Value = serde_json::from_str(&body).unwrap();
            body[CONDITION].as_str().unwrap().to_owned()
        };
        assert_eq!(
            broken(Mutant::Fence),
            "g = :g AND f = :spent AND (e = :e OR attribute_exists(pk)) AND (we = :e OR attribute_exists(pk))"
        );
        assert_eq!(
            broken(Mutant::GrantId),
            "(g = :g OR attribute_exists(pk)) AND (f = :spent OR attribute_exists(pk)) AND e = :e AND we = :e"
        );
    }
}
