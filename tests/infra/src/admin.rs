//! An administrator's browser in the console.

use anyhow::Context as _;
use consulate::operator::console;
use consulate_flows::stack::form_token;

use crate::api::{Answer, Browser};
use crate::world::World;

/// The page of the widget.
pub const NOTES: &str = "/console/widgets/notes";

/// A browser that is signed in.
pub struct Admin<'w> {
    world: &'w World,
    browser: Browser,
}

impl<'w> Admin<'w> {
    /// By a fresh link of `consulate console`.
    ///
    /// # Errors
    /// The link does not sign in.
    pub async fn signed_in(world: &'w World) -> anyhow::Result<Self> {
        let report = console(&world.target, "Ada").await?;
        let link = report.json["url"].as_str().context("a link")?.to_owned();
        let (page, ticket) = link.split_once('#').context("a ticket")?;
        let mut browser = Browser::default();
        let answer = browser
            .go(world, "POST", page, &[("ticket", ticket)])
            .await?;
        answer.location()?;
        Ok(Self { world, browser })
    }

    /// A page, as text.
    ///
    /// # Errors
    /// It is not shown.
    pub async fn page(&mut self, path: &str) -> anyhow::Result<String> {
        let url = format!("{}{path}", self.world.base());
        let answer = self.browser.go(self.world, "GET", &url, &[]).await?;
        answer.expect(200)?;
        Ok(answer.text)
    }

    /// Posts a form of the session's own.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let token = form_token(&self.page("/console/passports").await?);
        let mut all = fields.to_vec();
        all.push(("form_token", &token));
        let url = format!("{}{path}", self.world.base());
        self.browser.go(self.world, "POST", &url, &all).await
    }

    /// Uploads a bundle's archive and the `consulate.json` beside it, with a form of the session's own.
    ///
    /// # Errors
    /// No answer.
    pub async fn upload(
        &mut self,
        fields: &[(&str, &str)],
        archive: &[u8],
        consulate: &[u8],
    ) -> anyhow::Result<Answer> {
        const IMPORT: &str = "/console/import";
        let token = form_token(&self.page(IMPORT).await?);
        let mut all = fields.to_vec();
        all.push(("form_token", &token));
        let files = [("bundle.zip", archive), ("consulate.json", consulate)];
        let sent = self
            .browser
            .upload(self.world, IMPORT, &all, "bundle", &files);
        sent.await
    }
}
