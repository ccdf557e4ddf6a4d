//! `GET /console/health`: connections somebody should look at, from the sparse index of unhealthy rows: never a scan, so a table
//! of millions costs what is wrong in it. `POST …/renew` asks the custodian to renew one now.

use std::collections::HashMap;

use axum::extract::{self, Query};
use axum::response::Response;
use consulate_core::browser::escape;
use consulate_core::clock::Timestamp;
use consulate_core::connection::RevocationResult;
use consulate_core::connections::{Ailment, Overview};
use consulate_core::custody::{Answer, Event};
use consulate_core::table::{self, ConnectionKey};
use tokio::task::JoinSet;

use crate::page::{self, Page, Refusal, Section, Tone, token};
use crate::session::{Form, Signed, back_to};
use crate::words::{cut, dash, instant, pill, segment};
use crate::{AT_ONCE, State, texts};

/// Rows one page reads at most; what is beyond them is said to be there.
const MOST: usize = 500;
/// Rows shown.
const SHOWN: usize = 100;
/// Rows of one page of the index.
const PAGE: i32 = 200;

/// The page: `?ailment=`, `?search=`.
pub(crate) async fn page(
    extract::State(state): extract::State<State>,
    Query(query): Query<HashMap<String, String>>,
    signed: Signed,
) -> Response {
    let said = |name: &str| query.get(name).map_or("", String::as_str);
    let chosen = Ailment::ALL
        .into_iter()
        .find(|ailment| ailment.text() == said("ailment"));
    let search = cut(said("search").trim(), 200);
    match found(&state, chosen).await {
        Ok((rows, more)) => {
            let main = main(&state, &rows, more, chosen, &search, said("done"), &signed);
            Page::new(Section::Health, texts::HEALTH, &main).into_answer(&signed)
        }
        Err(_) => page::refusal(Refusal::UNAVAILABLE),
    }
}

/// Rows with their ailment, and whether there are more than were read.
async fn found(
    state: &State,
    chosen: Option<Ailment>,
) -> Result<(Vec<(Ailment, Overview)>, bool), table::Error> {
    let ailments = chosen.map_or(Ailment::ALL.to_vec(), |ailment| vec![ailment]);
    let mut partitions = Vec::new();
    for ailment in ailments {
        let named = state.connections.unhealthy_partitions(ailment).into_iter();
        partitions.extend(named.map(|partition| (ailment, partition)));
    }
    let mut keys: Vec<(Ailment, ConnectionKey)> = Vec::new();
    let mut more = false;
    for some in partitions.chunks(AT_ONCE) {
        let mut looks = JoinSet::new();
        for (ailment, partition) in some.iter().cloned() {
            let connections = state.connections.clone();
            looks.spawn(async move {
                let page = connections.unhealthy_page(&partition, None, PAGE).await;
                page.map(|page| (ailment, page))
            });
        }
        while let Some(look) = looks.join_next().await {
            let (ailment, page) = look.map_err(|_| table::Error::Unavailable)??;
            more |= page.next.is_some();
            let named = page.pks.iter().filter_map(|pk| ConnectionKey::of_pk(pk));
            keys.extend(named.map(|key| (ailment, key)));
        }
        if keys.len() >= MOST {
            more = true;
            break;
        }
    }
    keys.sort_by_key(|(ailment, key)| (ailment.text(), key.pk()));
    more |= keys.len() > MOST;
    keys.truncate(MOST);
    let of: Vec<ConnectionKey> = keys.iter().map(|(_, key)| key.clone()).collect();
    let mut overviews = state
        .connections
        .overview(&of)
        .await?
        .into_iter()
        .peekable();
    let mut rows = Vec::new();
    for (ailment, key) in keys {
        // What is gone since the index was read is left out of the overviews.
        if let Some(overview) = overviews.next_if(|overview| overview.key == key) {
            rows.push((ailment, overview));
        }
    }
    Ok((rows, more))
}

/// PURE. Whether a row is one that `search` looks for: in ids, account, reason, organisation, user.
fn matches(ailment: Ailment, row: &Overview, search: &str) -> bool {
    let account = row.details.account.clone().unwrap_or_default();
    let reason = serde_json::to_string(&row.reason).unwrap_or_default();
    let texts = [
        row.key.pk(),
        reason,
        ailment.text().to_owned(),
        row.details.widget.clone(),
        row.details.organisation.clone(),
        row.details.user.clone(),
        account.id.unwrap_or_default(),
        account.email.unwrap_or_default(),
        account.name.unwrap_or_default(),
    ];
    let search = search.to_lowercase();
    search.is_empty()
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(&search))
}

fn main(
    state: &State,
    rows: &[(Ailment, Overview)],
    more: bool,
    chosen: Option<Ailment>,
    search: &str,
    done: &str,
    signed: &Signed,
) -> String {
    let now = state.clock.now();
    let fitting: Vec<_> = rows
        .iter()
        .filter(|(ailment, row)| matches(*ailment, row, search))
        .collect();
    let shown: String = fitting
        .iter()
        .take(SHOWN)
        .map(|(ailment, row)| table_row(*ailment, row, now, signed))
        .collect();
    let options: String = Ailment::ALL
        .into_iter()
        .map(|ailment| {
            let selected = if chosen == Some(ailment) {
                " selected"
            } else {
                ""
            };
            format!(
                "<option value=\"{}\"{selected}>{}</option>",
                ailment.text(),
                escape(texts::ailment(ailment))
            )
        })
        .collect();
    let beyond = match more || fitting.len() > SHOWN {
        true => page::said(Tone::Warn, texts::HEALTH_MORE),
        false => String::new(),
    };
    let table = match shown.is_empty() {
        true => format!(
            "<div class=\"card empty\"><p>{}</p></div>",
            escape(if search.is_empty() {
                texts::ALL_WELL
            } else {
                texts::NOTHING_FOUND
            })
        ),
        false => format!(
            "<section class=\"card\"><div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th><th>{}</th><th><span class=\"hide\">{}</span></th></tr></thead><tbody>{shown}</tbody></table></div></section>",
            escape(texts::HEALTH),
            escape(texts::CONNECTION),
            escape(texts::HEALTH_STATE),
            escape(texts::SINCE),
            escape(texts::NEXT_LOOK),
            escape(texts::ACCOUNT),
            escape(texts::ACTIONS),
        ),
    };
    format!(
        "<div class=\"head\"><h1>{}</h1><p class=\"soft\">{}</p></div>{}\
         <form class=\"filters\" method=\"get\" action=\"/console/health\" role=\"search\"><label>{}<select name=\"ailment\"><option value=\"\">{}</option>{options}</select></label>\
         <label class=\"grow\">{}<input type=\"search\" name=\"search\" value=\"{}\" placeholder=\"{}\"></label><button type=\"submit\">{}</button></form>{beyond}{table}",
        escape(texts::HEALTH),
        escape(texts::HEALTH_ABOUT),
        page::notice(done),
        escape(texts::HEALTH_STATE),
        escape(texts::ANY),
        escape(texts::SEARCH),
        escape(search),
        escape(texts::SEARCH_IN),
        escape(texts::LOOK),
    )
}

fn table_row(ailment: Ailment, row: &Overview, now: Timestamp, signed: &Signed) -> String {
    let tone = match ailment {
        Ailment::Reauthorise | Ailment::Failing => Tone::Warn,
        Ailment::GaveUp => Tone::Bad,
        Ailment::Revoking => Tone::Warn,
    };
    let reason = row.reason.and_then(|reason| {
        let name = serde_json::to_value(reason).ok()?;
        texts::reason(name.as_str()?)
    });
    let reason = match (reason, &row.revocation) {
        (Some(text), _) => text.to_owned(),
        (None, Some((RevocationResult::Pending, _, attempts))) => {
            format!("{} {attempts}", texts::ATTEMPTS)
        }
        (None, _) => String::new(),
    };
    let account = row.details.account.clone().unwrap_or_default();
    let account = account.email.or(account.name).or(account.id);
    let account = account.map_or_else(dash, |account| escape(&account));
    let who = format!("{} {}", row.details.organisation, row.details.user);
    let slot = match row.key.slot.as_str() {
        "" => String::new(),
        slot => format!(" <code>{}</code>", escape(slot)),
    };
    let widget = &row.details.widget;
    let mut acts = String::new();
    if ailment == Ailment::Failing {
        acts.push_str(&format!(
            "<form method=\"post\" action=\"/console/health/renew\">{}<input type=\"hidden\" name=\"connection\" value=\"{}\"><button type=\"submit\">{}</button></form>",
            token(signed),
            escape(&row.key.pk()),
            escape(texts::RENEW)
        ));
    }
    if !widget.is_empty() {
        acts.push_str(&format!(
            "<form method=\"post\" action=\"/console/widgets/{}/person\">{}<input type=\"hidden\" name=\"organisation\" value=\"{}\"><input type=\"hidden\" name=\"user\" value=\"{}\"><button type=\"submit\">{}</button></form>",
            segment(widget),
            token(signed),
            escape(&row.details.organisation),
            escape(&row.details.user),
            escape(texts::OPEN)
        ));
    }
    format!(
        "<tr><td><code>{passport}</code>{slot}<br><span class=\"soft small\">{widget} · {who}</span></td><td>{pill}<br><span class=\"small\">{reason}</span></td><td>{since}</td><td>{next}</td><td>{account}</td><td class=\"end\"><div class=\"ways\">{acts}</div></td></tr>",
        passport = escape(&row.key.passport),
        widget = escape(widget),
        who = escape(&who),
        pill = pill(Some(tone), texts::ailment(ailment)),
        reason = escape(&reason),
        since = instant(row.health_since.or(row.saved_at)),
        next = instant(row.next_look(now)),
    )
}

/// `POST /console/health/renew`: an operator's refresh, of the row that the form names.
pub(crate) async fn renew(
    extract::State(state): extract::State<State>,
    Form { signed, fields }: Form,
) -> Response {
    let Some(key) = ConnectionKey::of_pk(fields.text("connection")) else {
        return page::refusal(Refusal::NOTHING_HERE);
    };
    let on = format!("{} {}", key.passport, cut(key.owner.as_str(), 8));
    let news = match state.custodian.ask(&Event::RefreshNow { key }).await {
        Ok(Answer::Refreshed { .. }) => "renewed",
        Ok(Answer::InProgress) => "renewal_in_progress",
        Ok(Answer::BackOff { .. }) => "renewal_held_back",
        Ok(Answer::AuthenticationRequired { .. }) => "renewal_impossible",
        Ok(Answer::Misconfigured) => "misconfigured",
        Ok(_) | Err(_) => "renewal_failed",
    };
    state.note(&signed, "renewal_asked", &on, news).await;
    back_to("/console/health", news)
}
