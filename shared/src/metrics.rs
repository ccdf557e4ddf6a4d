//! PURE. Metrics, as part of the log line they are about: CloudWatch reads the member `_aws` (embedded metric format, Amazon
//! CloudWatch user guide, "Specification: CloudWatch embedded metric format") and takes the values from the line's own members.
//! So there is no second line, no agent and no request. docs/observability.md has the table; alarms are built on these names.
//!
//! Dimensions are `function` and, for [`REQUESTS`] and [`REFRESHES`], `outcome`: both from short closed lists. Widgets, passports and
//! owners are members of the line, never dimensions: each value of a dimension is a metric that is paid for.

use serde_json::{Map, Value, json};

/// The namespace, unless the operator says otherwise.
pub const NAMESPACE: &str = "Consulate";

/// Requests, invokes and rows attended to; Count; by function, and by function and outcome.
pub const REQUESTS: &str = "requests";
/// Those of them that ended in a failure of ours or of something we stand on: status 5xx, level `error`; Count, 0 or 1.
pub const ERRORS: &str = "errors";
/// How long one took; Milliseconds.
pub const DURATION: &str = "duration_ms";
/// How long the API (or Qrvey) took of it; Milliseconds.
pub const UPSTREAM: &str = "upstream_ms";
/// Calls the API throttled, and calls not sent because of that; Count.
pub const RATE_LIMITED: &str = "rate_limited";
/// Renewals, on demand and by the schedule; Count; by function, and by function and outcome.
pub const REFRESHES: &str = "refreshes";
/// Connections whose person has to connect again; Count.
pub const REAUTHORISATIONS: &str = "reauthorisations";
/// Accounts connected; Count.
pub const CONNECTED: &str = "connected";
/// Connections given up; Count.
pub const DISCONNECTED: &str = "disconnected";
/// Grants whose end the provider never confirmed; Count.
pub const REVOCATIONS_GIVEN_UP: &str = "revocations_given_up";
/// Token endpoints that refused our client, and passports whose settings cannot be used; Count.
pub const MISCONFIGURED_CLIENTS: &str = "misconfigured_clients";
/// Tokens of a provider that ended neither stored nor revoked; Count.
pub const LOST_GRANTS: &str = "lost_grants";
/// Work refused because our clock is off; Count.
pub const CLOCK_SKEWED: &str = "clock_skewed";
/// Minutes of the schedule that were begun; Count.
pub const TICKS: &str = "ticks";
/// Minutes one tick went through: more than one while it catches up; Count.
pub const TICK_MINUTES: &str = "minutes";
/// Rows a tick handed out; Count.
pub const TICK_ROWS: &str = "rows";
/// Answers that came from the salvage queue; Count.
pub const SALVAGED: &str = "salvaged_answers";
/// Issuers whose keys could not be fetched; Count.
pub const ISSUER_FAILURES: &str = "issuer_failures";

/// What the custodian's lines about one invoke or row are called.
const WORK: [&str; 8] = [
    "exchange", "sign_in", "complete", "abandon", "refresh", "revoke", "attend", "refused",
];

#[derive(Default)]
struct Gathered {
    by_function: Vec<(&'static str, &'static str)>,
    by_outcome: Vec<(&'static str, &'static str)>,
}

/// Adds to `line` what makes it a metric too: values that are not among its members yet, and `_aws`. A line that measures nothing
/// stays as it is.
pub fn embed(line: &mut Map<String, Value>, namespace: &str, now_millis: i64) {
    let mut gathered = Gathered::default();
    match line.get("event").and_then(Value::as_str) {
        Some("request" | "act") => gathered.request(line),
        Some("audit") => gathered.audit(line),
        Some("tick") => gathered.tick(line),
        Some("salvage") => gathered.count(line, SALVAGED, 1),
        Some("keys") => gathered.count(line, ISSUER_FAILURES, 1),
        Some(event) if WORK.contains(&event) => gathered.work(line),
        _ => {}
    }
    for (member, metric) in [
        ("misconfigured", MISCONFIGURED_CLIENTS),
        ("lost", LOST_GRANTS),
        ("clock_skew_ms", CLOCK_SKEWED),
    ] {
        if line.contains_key(member) {
            gathered.count(line, metric, 1);
        }
    }
    if gathered.by_function.is_empty() {
        return;
    }
    let directive = |dimensions: &[&str], metrics: &[(&str, &str)]| {
        let metrics: Vec<Value> = metrics
            .iter()
            .map(|(name, unit)| json!({ "Name": name, "Unit": unit }))
            .collect();
        json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics })
    };
    let mut directives = vec![directive(&["function"], &gathered.by_function)];
    if !gathered.by_outcome.is_empty() {
        directives.push(directive(&["function", "outcome"], &gathered.by_outcome));
    }
    let embedded = json!({ "Timestamp": now_millis, "CloudWatchMetrics": directives });
    line.insert("_aws".to_owned(), embedded);
}

impl Gathered {
    fn request(&mut self, line: &mut Map<String, Value>) {
        let status = line.get("status").and_then(Value::as_u64).unwrap_or(500);
        self.served(line, status >= 500);
        let is_throttled = line.get("throttled").is_some()
            || line.get("outcome").and_then(Value::as_str) == Some("rate_limited");
        if is_throttled {
            self.count(line, RATE_LIMITED, 1);
        }
        self.measured(line, UPSTREAM, "Milliseconds");
    }

    fn work(&mut self, line: &mut Map<String, Value>) {
        let text = |name| line.get(name).and_then(Value::as_str);
        let is_refresh = text("audit") == Some("refresh");
        let is_error = text("level") == Some("error");
        let is_misconfigured = text("outcome") == Some("misconfigured");
        self.served(line, is_error);
        if is_refresh {
            self.count(line, REFRESHES, 1);
            self.by_outcome.push((REFRESHES, "Count"));
        }
        if is_misconfigured && !line.contains_key("misconfigured") {
            self.count(line, MISCONFIGURED_CLIENTS, 1);
        }
    }

    fn served(&mut self, line: &mut Map<String, Value>, is_error: bool) {
        self.count(line, REQUESTS, 1);
        self.by_outcome.push((REQUESTS, "Count"));
        self.count(line, ERRORS, u64::from(is_error));
        self.measured(line, DURATION, "Milliseconds");
    }

    fn audit(&mut self, line: &mut Map<String, Value>) {
        let metric = match line.get("what").and_then(Value::as_str) {
            Some("connection.connected") => CONNECTED,
            Some("connection.needs_reauthorisation") => REAUTHORISATIONS,
            Some("connection.disconnected") => DISCONNECTED,
            Some("connection.revocation_gave_up") => REVOCATIONS_GIVEN_UP,
            _ => return,
        };
        self.count(line, metric, 1);
    }

    fn tick(&mut self, line: &mut Map<String, Value>) {
        let is_error = line.get("level").and_then(Value::as_str) == Some("error");
        self.count(line, TICKS, u64::from(!is_error));
        self.count(line, ERRORS, u64::from(is_error));
        self.measured(line, TICK_MINUTES, "Count");
        self.measured(line, TICK_ROWS, "Count");
        self.measured(line, DURATION, "Milliseconds");
    }

    fn count(&mut self, line: &mut Map<String, Value>, metric: &'static str, value: u64) {
        line.insert(metric.to_owned(), value.into());
        self.by_function.push((metric, "Count"));
    }

    /// A metric whose value the line has already.
    fn measured(&mut self, line: &Map<String, Value>, metric: &'static str, unit: &'static str) {
        if line.get(metric).is_some_and(Value::is_number) {
            self.by_function.push((metric, unit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(line: Value) -> Map<String, Value> {
        let Value::Object(mut line) = line else {
            panic!("an object")
        };
        embed(&mut line, NAMESPACE, 1_795_244_400_000);
        line
    }

    /// The rules of the format: every metric and dimension named in `_aws` is a member at the top, metrics are numbers,
    /// dimensions texts.
    fn is_sound(line: &Map<String, Value>) {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], NAMESPACE);
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(
                    line[metric["Name"].as_str().unwrap()].is_number(),
                    "{metric}"
                );
            }
        }
    }

    #[test]
    fn a_request_counts_itself_its_errors_and_its_time_by_function_and_by_outcome() {
        let line = embedded(json!({
            "event": "request", "function": "proxy", "outcome": "upstream_timeout", "status": 504,
            "duration_ms": 20_010, "upstream_ms": 20_000,
        }));
        is_sound(&line);
        assert_eq!((&line[REQUESTS], &line[ERRORS]), (&json!(1), &json!(1)));
        let directives = &line["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives[0]["Dimensions"], json!([["function"]]));
        assert_eq!(
            directives[1],
            json!({
                "Namespace": "Consulate", "Dimensions": [["function", "outcome"]],
                "Metrics": [{"Name": "requests", "Unit": "Count"}],
            })
        );
        assert_eq!(line["_aws"]["Timestamp"], 1_795_244_400_000_i64);
        let fine = embedded(json!({
            "event": "request", "function": "proxy", "outcome": "ok", "status": 200, "duration_ms": 3, "throttled": true,
        }));
        assert_eq!((&fine[ERRORS], &fine[RATE_LIMITED]), (&json!(0), &json!(1)));
    }

    #[test]
    fn renewals_count_by_outcome_whoever_asked_for_them() {
        for line in [
            json!({"event": "refresh", "audit": "refresh", "function": "custodian", "outcome": "refreshed", "level": "info", "duration_ms": 1}),
            json!({"event": "attend", "audit": "refresh", "function": "custodian", "outcome": "back_off", "level": "info",
                "duration_ms": 1}),
        ] {
            let line = embedded(line);
            is_sound(&line);
            let by_outcome = &line["_aws"]["CloudWatchMetrics"][1]["Metrics"];
            assert_eq!(by_outcome[1], json!({"Name": "refreshes", "Unit": "Count"}));
        }
        let revoked = embedded(json!({
            "event": "attend", "audit": "revoke", "function": "custodian", "outcome": "revoked", "level": "info", "duration_ms": 1,
        }));
        assert!(!revoked.contains_key(REFRESHES));
    }

    #[test]
    fn a_refused_client_is_counted_once_however_it_is_told() {
        let named = embedded(json!({
            "event": "refresh", "function": "custodian", "outcome": "misconfigured", "misconfigured": "invalid_client",
            "level": "error", "duration_ms": 1,
        }));
        let unnamed = embedded(json!({
            "event": "exchange", "function": "custodian", "outcome": "misconfigured", "level": "error", "duration_ms": 1,
        }));
        for line in [named, unnamed] {
            is_sound(&line);
            let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
                .as_array()
                .unwrap();
            let counted = metrics
                .iter()
                .filter(|metric| metric["Name"] == MISCONFIGURED_CLIENTS);
            assert_eq!(counted.count(), 1);
        }
    }

    #[test]
    fn what_happened_to_connections_and_the_schedule_are_counted() {
        let audit = embedded(json!({
            "event": "audit", "function": "custodian", "what": "connection.needs_reauthorisation",
        }));
        is_sound(&audit);
        assert_eq!(audit[REAUTHORISATIONS], 1);
        let tick = embedded(json!({
            "event": "tick", "function": "custodian", "level": "info", "minutes": 1, "rows": 0, "duration_ms": 4,
        }));
        is_sound(&tick);
        assert_eq!(tick[TICKS], 1);
        let stopped = embedded(json!({
            "event": "tick", "function": "custodian", "level": "error", "minutes": 0, "rows": 0, "duration_ms": 4,
        }));
        assert_eq!((&stopped[TICKS], &stopped[ERRORS]), (&json!(0), &json!(1)));
    }

    #[test]
    fn a_line_that_measures_nothing_stays_as_it_is() {
        let line = json!({"event": "audit", "function": "operator", "what": "widget.imported"});
        assert_eq!(Value::Object(embedded(line.clone())), line);
    }
}
