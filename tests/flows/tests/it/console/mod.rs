//! The administrator's console: signing in, forms that are one's own, and acting for somebody through connect, proxy and
//! custodian.

mod acts;
mod forms;
mod importing;
mod invokes;
mod passports;
mod sealed;
mod secrets;
mod sign_in;

use consulate::operator::console;
use consulate_flows::browser::{Browser, From};
use consulate_flows::stack::{Stack, form_token};
use consulate_flows::wire::Answer;

/// The page of the widget `notes`.
const NOTES: &str = "/console/widgets/notes";

/// A ticket that `consulate console` makes.
async fn ticket(stack: &Stack) -> String {
    let report = console(&stack.dev.target, "Ada").await.unwrap();
    let link = report.json["url"].as_str().unwrap().to_owned();
    let (page, ticket) = link.split_once('#').unwrap();
    assert_eq!(page, format!("{}/console/sign-in", stack.dev.base_url));
    ticket.to_owned()
}

/// A browser in the console.
struct Admin<'s> {
    stack: &'s Stack,
    browser: Browser,
}

impl<'s> Admin<'s> {
    /// Signed in by a fresh link.
    async fn signed_in(stack: &'s Stack) -> Self {
        let mut admin = Self {
            stack,
            browser: Browser::default(),
        };
        let answer = admin.present(&ticket(stack).await).await.expect(303);
        assert_eq!(answer.header("location"), "/console");
        admin
    }

    /// Signed in, and acting for `user` of `o1`.
    async fn acting_for(stack: &'s Stack, user: &str) -> Self {
        let mut admin = Self::signed_in(stack).await;
        admin.choose("o1", user).await;
        admin
    }

    /// Presses the button of the sign-in page.
    async fn present(&mut self, ticket: &str) -> Answer {
        let url = self.url("/console/sign-in");
        let fields = [("ticket", ticket)];
        self.browser.post_form(&url, From::Here, &fields).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.dev.base_url)
    }

    async fn get(&mut self, path: &str) -> Answer {
        let url = self.url(path);
        self.browser.get(&url, From::Here).await
    }

    async fn page(&mut self, path: &str) -> String {
        self.get(path).await.expect(200).text()
    }

    /// This session's form value, from any page of it.
    async fn token(&mut self) -> String {
        form_token(&self.page("/console").await)
    }

    /// Posts a form of the console's own.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let mut all = fields.to_vec();
        all.push(("form_token", &token));
        let url = self.url(path);
        self.browser.post_form(&url, From::Here, &all).await
    }

    /// Posts a form, and answers the news in the address that follows.
    async fn news(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await.expect(303);
        let (_, news) = answer.header("location").split_once("?done=").unwrap();
        news.to_owned()
    }

    async fn choose(&mut self, organisation: &str, user: &str) {
        let fields = [("organisation", organisation), ("user", user)];
        let news = self.news(&format!("{NOTES}/person"), &fields).await;
        assert_eq!(news, "person_chosen");
    }

    /// Begins a connect, and answers where the provider is.
    async fn depart(&mut self, auth_key: &str) -> String {
        let path = format!("{NOTES}/connections/{auth_key}/connect");
        let page = self.post(&path, &[]).await.expect(200);
        let refresh = page.header("refresh").to_owned();
        refresh.strip_prefix("0;url=").unwrap().to_owned()
    }

    /// Connects an account through the console; answers the callback's answer.
    async fn connect(&mut self, auth_key: &str) -> Answer {
        let authorize_url = self.depart(auth_key).await;
        let stack = self.stack;
        let callback = stack
            .consent(&mut self.browser, &authorize_url, "allow")
            .await;
        self.browser.get(&callback, From::ElsewhereTopLevel).await
    }
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}
