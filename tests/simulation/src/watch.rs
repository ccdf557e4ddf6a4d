//! The table's hop, and the watch on it: after every write, what stands in the row now against what stood there before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::seal::Place;
use serde_json::{Value, json};

use crate::mutants;
use crate::provider::Said;
use crate::stage::{TABLE, TOKEN_URL};
use crate::world::{Asked, Inner, Invocation, World};

/// A write is applied so long after it was sent at most, milliseconds.
const LONGEST_ON_THE_WAY: u64 = 30_000;

/// What is watched of a connection's row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub grant: String,
    pub version: i64,
    pub health: String,
    pub reason: String,
    pub receipt: String,
    pub lease: Option<String>,
    pub attempt: Option<i64>,
    /// When that attempt was claimed, milliseconds after the start.
    pub claimed_at: u64,
    /// The answers its tokens came in.
    pub access: Option<usize>,
    pub refresh: Option<usize>,
    /// Grants it had before.
    pub former: Vec<String>,
    access_sealed: String,
    refresh_sealed: String,
}

impl World {
    pub fn table(&self, asked: Asked) -> Said {
        let mutant = self.lock().mutant;
        let body = match mutant {
            Some(mutant) => mutants::rewritten(mutant, &asked.what, asked.body),
            None => asked.body,
        };
        let (status, mut answer) = self.engine.serve(&asked.what, &body);
        if let Some(mutant) = mutant.filter(|_| status != 200) {
            answer = mutants::refusal(mutant, &body, answer);
        }
        if matches!(
            asked.what.as_str(),
            "UpdateItem" | "PutItem" | "DeleteItem" | "TransactWriteItems"
        ) {
            self.lock().tally.add("table writes", 1);
            if status == 200 {
                for pk in written(&body) {
                    match pk.starts_with("GRANT#") {
                        true => self.look_at_grant(&pk),
                        false => self.look(&pk, asked.invocation),
                    }
                }
            }
        }
        Said::plain(status.as_u16(), answer)
    }

    /// The row `pk` as it stands, tokens opened.
    pub fn row(&self, pk: &str) -> Option<Value> {
        let request = json!({"TableName": TABLE, "Key": {"pk": {"S": pk}}, "ConsistentRead": true});
        let (_, answer) = self.engine.serve("GetItem", &request.to_string());
        let mut answer: Value = serde_json::from_str(&answer).ok()?;
        answer.get_mut("Item").map(Value::take)
    }

    fn look(&self, pk: &str, invocation: u64) {
        let before = self.lock().rows.get(pk).cloned();
        let Some(item) = self.row(pk) else {
            if before.is_some() {
                self.broken(format!("the row of {} is gone", short(pk)));
            }
            return;
        };
        let text = |name: &str, kind: &str| {
            item[name][kind]
                .as_str()
                .map(str::to_owned)
                .unwrap_or_default()
        };
        let mut row = Row {
            grant: text("g", "S"),
            version: text("v", "N").parse().unwrap_or_default(),
            health: text("h", "S"),
            reason: text("hr", "S"),
            receipt: text("rr", "S"),
            lease: item["lo"]["S"].as_str().map(str::to_owned),
            attempt: item["we"]["N"]
                .as_str()
                .and_then(|number| number.parse().ok()),
            access_sealed: text("a", "B"),
            refresh_sealed: text("r", "B"),
            ..Row::default()
        };
        let old = before.unwrap_or_default();
        row.access = self.opened(pk, &row.grant, "access_token", &row.access_sealed);
        row.refresh = self.opened(pk, &row.grant, "refresh_token", &row.refresh_sealed);
        row.former.clone_from(&old.former);
        if row.grant != old.grant && !old.grant.is_empty() {
            row.former.push(old.grant.clone());
        }
        let now = self.now();
        row.claimed_at = if row.attempt == old.attempt {
            old.claimed_at
        } else {
            now
        };
        let mut inner = self.lock();
        let left = inner.left_behind(&old, &row);
        for answer in [row.access, row.refresh].into_iter().flatten() {
            inner.provider.answers[answer].stored = true;
        }
        inner.rows.insert(pk.to_owned(), row.clone());
        inner.tell(now, &format!("#{invocation}"), || {
            format!(
                "row {}: v{} {} {}{} lease {} attempt {:?} tokens of {:?}/{:?}",
                short(pk),
                row.version,
                row.health,
                row.reason,
                row.receipt,
                row.lease.is_some(),
                row.attempt,
                row.access,
                row.refresh
            )
        });
        drop(inner);
        for wrong in wrongs(&old, &row).into_iter().chain(left) {
            self.broken(format!(
                "{} after a write of #{invocation}: {wrong}",
                short(pk)
            ));
        }
    }

    /// The answer whose token is `sealed` for this place.
    pub fn opened(&self, pk: &str, grant: &str, field: &str, sealed: &str) -> Option<usize> {
        if sealed.is_empty() {
            return None;
        }
        let place = Place {
            item_key: pk,
            grant_id: grant,
            field,
            token_url: TOKEN_URL,
        };
        let sealed = STANDARD.decode(sealed).unwrap_or_default();
        match self.keyring.open(&sealed, place) {
            Ok(plain) => self.lock().provider.answer_of(plain.expose()),
            Err(_) => {
                let what = format!(
                    "{}: the {field} stored does not open in its place",
                    short(pk)
                );
                self.broken(what);
                None
            }
        }
    }
}

impl Inner {
    /// A claim that is taken over although nothing was sent for it, and nobody died, froze or could not close it: a living
    /// holder went away without giving it back.
    fn left_behind(&self, old: &Row, new: &Row) -> Option<String> {
        let (claimed, _) = old
            .attempt
            .zip(new.attempt.filter(|_| new.attempt != old.attempt))?;
        let family = &self.provider.families[self.provider.answers[old.refresh?].family];
        let sent = family.sent_at.is_some_and(|at| at >= old.claimed_at);
        let since = old.claimed_at.saturating_sub(LONGEST_ON_THE_WAY);
        let excused = self.troubles.iter().any(|at| *at >= since);
        // A question left open on purpose has given its lease back.
        let held = old.lease.is_some();
        let left = family.single_use && held && !sent && !excused;
        left.then(|| format!("the claim of epoch {claimed} was left behind by its living holder"))
    }
}

/// PURE. What no write may do.
fn wrongs(old: &Row, new: &Row) -> Vec<String> {
    let mut wrongs = Vec::new();
    if old.grant.is_empty() {
        return wrongs;
    }
    if new.former.contains(&new.grant) {
        wrongs.push("a grant came back".to_owned());
    }
    if new.version < old.version {
        wrongs.push(format!("version {} after {}", new.version, old.version));
    }
    let changed = !new.access_sealed.is_empty() && new.access_sealed != old.access_sealed;
    if changed && new.version == old.version {
        wrongs.push("other tokens under the same version".to_owned());
    }
    if new.grant == old.grant {
        if let (Some(former), Some(later)) = (old.access, new.access)
            && later < former
        {
            wrongs.push(format!("tokens of #{later} over those of #{former}"));
        }
        if let (Some(former), Some(later)) = (old.refresh, new.refresh)
            && later < former
        {
            wrongs.push(format!("refresh token of #{later} over that of #{former}"));
        }
        if old.health == "disconnected" && new.health != "disconnected" {
            wrongs.push("a disconnected grant is connected again".to_owned());
        }
    }
    wrongs
}

/// The connections' rows and grants' records that a request wrote.
fn written(body: &str) -> Vec<String> {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let mut writes: Vec<&Value> = vec![&request];
    for item in request["TransactItems"].as_array().into_iter().flatten() {
        writes.extend(item.as_object().into_iter().flat_map(|item| item.values()));
    }
    let pks = writes.into_iter().filter_map(|write| {
        let pk = write["Key"]["pk"]["S"].as_str();
        pk.or_else(|| write["Item"]["pk"]["S"].as_str())
    });
    let watched = pks.filter(|pk| pk.starts_with("CONNECTION#") || pk.starts_with("GRANT#"));
    watched.map(str::to_owned).collect()
}

/// A row's name for the story.
pub(crate) fn short(pk: &str) -> String {
    let mut parts = pk.split('#').skip(1);
    let passport = parts.next().unwrap_or_default();
    let owner = parts.next().unwrap_or_default();
    format!("{passport}/{owner}")
}

impl Invocation {
    pub fn noted(&self, note: &str) -> bool {
        self.notes.contains(note)
    }
}
