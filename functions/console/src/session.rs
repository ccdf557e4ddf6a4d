//! Who is signed in, and whether a form is their own: the extractors of every page and act.
//!
//! A form is taken when three things agree: the browser says that it comes from our own page (`Sec-Fetch-Site`, `Origin`), it
//! carries the value that goes with this very session, and the session is live.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse as _, Redirect, Response};
use consulate_core::browser::{is_own_form, read_cookie, same};
use consulate_core::console::{self, Session};
use consulate_core::digest;
use consulate_core::http::Bounded;
use consulate_core::secret::SecretText;
use http::Method;
use http::request::Parts;

use crate::page::{self, Refusal};
use crate::{State, carried, texts};

/// Where people without a session are sent.
pub(crate) const SIGN_IN: &str = "/console/sign-in";
/// Name of the hidden field that ties a form to its session.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// A live session.
pub(crate) struct Signed {
    pub(crate) session: Session,
    cookie: String,
}

impl Signed {
    /// A session that `cookie` has just begun.
    pub(crate) fn begun(session: Session, cookie: &str) -> Self {
        Self {
            session,
            cookie: cookie.to_owned(),
        }
    }

    /// The value of the hidden field of this session's forms.
    pub(crate) fn form_token(&self) -> String {
        digest::text([&b"console form"[..], self.cookie.as_bytes()])
    }

    /// `plain` for the hidden field `field` of this session's forms; see [`carried`].
    pub(crate) fn seal(&self, field: &str, plain: &SecretText) -> Result<String, Refusal> {
        carried::seal(&self.cookie, field, plain).map_err(|_| Refusal::UNAVAILABLE)
    }

    /// What [`Self::seal`] made for this field of this session.
    pub(crate) fn open(&self, field: &str, text: &str) -> Option<SecretText> {
        carried::open(&self.cookie, field, text)
    }

    /// What a flow that this session begins is bound to.
    pub(crate) fn flow_tie(&self) -> String {
        console::flow_tie(&self.cookie)
    }
}

impl FromRequestParts<State> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let refused = || match parts.method {
            Method::GET => Redirect::to(SIGN_IN).into_response(),
            _ => page::refusal(Refusal::NOT_SIGNED_IN),
        };
        let cookie = read_cookie(&parts.headers, console::COOKIE).ok_or_else(refused)?;
        let session = state.records.session(cookie, state.clock.now()).await;
        let session = session.map_err(|_| page::refusal(Refusal::UNAVAILABLE))?;
        Ok(Self {
            session: session.ok_or_else(refused)?,
            cookie: cookie.to_owned(),
        })
    }
}

/// A form that a signed-in administrator posted from our own page.
pub(crate) struct Form {
    pub(crate) signed: Signed,
    pub(crate) fields: Fields,
}

/// The fields of a form, in order.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Fields that came otherwise than as a form's usual text.
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(crate) fn parse(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The field `name`; empty where it is missing, or there more than once.
    pub(crate) fn text(&self, name: &str) -> &str {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => value,
            _ => "",
        }
    }

    /// Fields whose names begin with `prefix`, without it.
    pub(crate) fn under<'f>(&'f self, prefix: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

impl FromRequest<State> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        if !is_own_form(&parts.headers, &state.base_url) {
            return Err(page::refusal(Refusal::FOREIGN_FORM));
        }
        let signed = Signed::from_request_parts(&mut parts, state).await?;
        let body = Bounded::from_request(Request::from_parts(parts, body), state).await;
        let Bounded(body) = body.map_err(|_| page::refusal(Refusal::FORM_TOO_LARGE))?;
        let fields = Fields::parse(&body);
        if !same(fields.text(FORM_TOKEN), &signed.form_token()) {
            return Err(page::refusal(Refusal::FOREIGN_FORM));
        }
        Ok(Self { signed, fields })
    }
}

/// The news at the end of an address, as `?done=bound`: words of ours only, see [`texts::news`].
pub(crate) fn back_to(address: &str, news: &str) -> Response {
    debug_assert!(texts::news(news).is_some(), "no text for {news}");
    Redirect::to(&format!("{address}?done={news}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_sent_twice_counts_as_missing() {
        let fields = Fields::parse(b"a=1&a=2&b=x+y&p.q=1&p.r=%C3%BC");
        assert_eq!(fields.text("a"), "");
        assert_eq!(fields.text("b"), "x y");
        let params: Vec<_> = fields.under("p.").collect();
        assert_eq!(params, [("q", "1"), ("r", "ü")]);
    }
}
