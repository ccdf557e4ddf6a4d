//! `consulate console`: prints a link that signs one browser in to the console, once. The operator's credentials are what
//! allows it: the ticket is written to the table with them.

use consulate_core::console::{ConsoleRecords, TICKET_SECONDS};
use consulate_core::random;
use serde_json::json;

use super::report::Report;
use super::target::Target;

/// Longest name, characters.
const NAME_LIMIT: usize = 80;

/// Makes a ticket for `name`.
///
/// # Errors
/// The table cannot be written.
pub async fn console(target: &Target, name: &str) -> anyhow::Result<Report> {
    // It is named in the audit log, which holds no address of anybody's.
    let unusable = |character: char| character.is_control() || character == '@';
    if name.chars().count() > NAME_LIMIT || name.chars().any(unusable) {
        let text = format!(
            "The name must have at most {NAME_LIMIT} characters, none of them a control character or @."
        );
        return Ok(Report::refused(text, json!({ "field": "name" })));
    }
    let Some(base_url) = &target.base_url else {
        let text = "CONSULATE_BASE_URL is not set: name the public address of your deployment.";
        return Ok(Report::refused(
            text,
            json!({ "field": "CONSULATE_BASE_URL" }),
        ));
    };
    let ticket = random::secret_text()?;
    let expires_at = target.clock.now().plus_seconds(TICKET_SECONDS);
    ConsoleRecords::new(target.dynamodb.clone(), &target.table)
        .put_ticket(&ticket, name, expires_at)
        .await?;
    // In the fragment: it reaches neither servers nor their logs.
    let link = format!("{base_url}/console/sign-in#{ticket}");
    let expires_at = expires_at.rfc3339();
    let json = json!({ "url": link, "expires_at": expires_at });
    Ok(Report::done(
        format!("{link}\nOpen it before {expires_at}. It works once."),
        json,
    ))
}
