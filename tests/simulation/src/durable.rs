//! Where tokens are durable besides a connection's row: records of strays, and messages of the salvage queue. What lies there
//! must not get lost any more, whoever dies.

use serde_json::Value;

use crate::watch::short;
use crate::world::World;

impl World {
    /// A record of a grant that no connection has was written, or removed.
    pub fn look_at_grant(&self, pk: &str) {
        let Some(item) = self.row(pk) else { return };
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default();
        let sealed = |name: &str| item[name]["B"].as_str().unwrap_or_default();
        let tokens = [
            ("access_token", sealed("a")),
            ("refresh_token", sealed("r")),
        ];
        self.durable("a record", text("ho"), text("g"), tokens);
    }

    /// A message was sent.
    pub fn look_at_message(&self, request: &Value) {
        let body = request["MessageBody"].as_str().unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let home = match text("type") {
            "stray" => text("home").to_owned(),
            "salvage" => {
                let key = |name: &str| body["key"][name].as_str().unwrap_or_default();
                format!("CONNECTION#{}#{}", key("passport"), key("owner"))
            }
            _ => return,
        };
        let tokens = [
            ("access_token", text("access_token")),
            ("refresh_token", text("refresh_token")),
        ];
        self.durable("a message", &home, text("grant"), tokens);
    }

    fn durable(&self, what: &str, home: &str, grant: &str, tokens: [(&str, &str); 2]) {
        for (field, sealed) in tokens {
            let Some(answer) = self.opened(home, grant, field, sealed) else {
                continue;
            };
            let now = self.now();
            let mut inner = self.lock();
            inner.provider.answers[answer].stored = true;
            inner.tell(now, what, || {
                format!("holds the {field} of #{answer} for {}", short(home))
            });
        }
    }
}
