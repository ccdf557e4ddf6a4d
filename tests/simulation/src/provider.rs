//! PURE. A strict provider and its ledger: codes work once, single-use refresh tokens die on use, and using one again ends
//! its whole family (RFC 9700 section 4.14.2). It remembers every token it ever issued, and what became of each answer.

use serde_json::json;

/// One consent and all tokens that come of it.
#[derive(Debug)]
pub(crate) struct Family {
    pub single_use: bool,
    pub alive: bool,
    /// The answer that brought the live refresh token.
    pub newest: usize,
    /// When a token call about it was last sent, milliseconds after the start.
    pub sent_at: Option<u64>,
    /// It was given back.
    pub revoked: bool,
    /// The answer whose spent token was presented again, and by which invocation, where that ended the family.
    pub reused: Option<(usize, u64)>,
    /// Token calls that have arrived and are not done, by invocation.
    pub in_flight: Vec<u64>,
}

/// One answer with tokens.
#[derive(Debug)]
pub(crate) struct Answer {
    pub family: usize,
    pub access: String,
    pub refresh: String,
    /// Milliseconds after the start of the world.
    pub expires_at: u64,
    pub invocation: u64,
    /// The answer that spent the refresh token of this one.
    pub spent_by: Option<usize>,
    /// Whether it left whole, to somebody who was still listening.
    pub whole: bool,
    /// Whether its tokens were ever seen in the table or in the salvage queue.
    pub stored: bool,
}

/// What a call is answered.
pub(crate) struct Said {
    pub status: u16,
    pub body: String,
    pub answer: Option<usize>,
    pub reuse_of: Option<usize>,
    /// A code that had been used.
    pub code_again: bool,
}

impl Said {
    /// An answer that is not about tokens.
    pub fn plain(status: u16, body: String) -> Self {
        Self {
            status,
            body,
            answer: None,
            reuse_of: None,
            code_again: false,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Provider {
    pub families: Vec<Family>,
    pub answers: Vec<Answer>,
    codes: Vec<(bool, u64, bool)>,
}

impl Provider {
    pub fn consent(&mut self, single_use: bool, lifetime: u64) -> String {
        self.codes.push((single_use, lifetime, false));
        format!("code-{}", self.codes.len() - 1)
    }

    /// The answer that brought this token, whichever of the two it is.
    pub fn answer_of(&self, token: &str) -> Option<usize> {
        let (kind, number) = token.split_once('-')?;
        let number: usize = number.parse().ok()?;
        let answer = self.answers.get(number)?;
        let known = (kind == "at" && answer.access == token)
            || (kind == "rt" && answer.refresh == token)
            || (kind == "rt" && !self.families[answer.family].single_use);
        known.then_some(number)
    }

    /// The family that a token request is about.
    pub fn family_of(&self, form: &[(String, String)]) -> Option<usize> {
        let token = get(form, "refresh_token")?;
        Some(self.answers[self.answer_of(token)?].family)
    }

    pub fn token(
        &mut self,
        form: &[(String, String)],
        invocation: u64,
        now: u64,
        lifetime: u64,
    ) -> Said {
        if get(form, "client_id") != Some("client") || get(form, "client_secret") != Some("secret")
        {
            return refused(401, "invalid_client");
        }
        match get(form, "grant_type") {
            Some("authorization_code") => {
                let code = get(form, "code").and_then(|code| code.strip_prefix("code-"));
                let code = code.and_then(|number| number.parse::<usize>().ok());
                let Some(bound) = code.and_then(|number| self.codes.get_mut(number)) else {
                    return refused(400, "invalid_grant");
                };
                let (single_use, lifetime, used) = *bound;
                bound.2 = true;
                if used {
                    let mut said = refused(400, "invalid_grant");
                    said.code_again = true;
                    return said;
                }
                self.families.push(Family {
                    single_use,
                    alive: true,
                    newest: 0,
                    sent_at: None,
                    revoked: false,
                    reused: None,
                    in_flight: Vec::new(),
                });
                self.issue(self.families.len() - 1, invocation, now, lifetime)
            }
            Some("refresh_token") => {
                let token = get(form, "refresh_token").unwrap_or_default();
                let Some(presented) = self.answer_of(token) else {
                    return refused(400, "invalid_grant");
                };
                let family = self.answers[presented].family;
                if self.families[family].single_use && self.answers[presented].spent_by.is_some() {
                    self.families[family].alive = false;
                    self.families[family]
                        .reused
                        .get_or_insert((presented, invocation));
                    let mut said = refused(400, "invalid_grant");
                    said.reuse_of = Some(presented);
                    return said;
                }
                if !self.families[family].alive {
                    return refused(400, "invalid_grant");
                }
                let said = self.issue(family, invocation, now, lifetime);
                self.answers[presented].spent_by = said.answer;
                said
            }
            _ => refused(400, "unsupported_grant_type"),
        }
    }

    /// RFC 7009: any token of a family that was a refresh token ends it; an access token ends alone; unknown is success.
    pub fn revoke(&mut self, form: &[(String, String)]) -> Said {
        let token = get(form, "token").unwrap_or_default();
        if let Some(number) = self.answer_of(token)
            && token.starts_with("rt-")
        {
            let family = self.answers[number].family;
            self.families[family].alive = false;
            self.families[family].revoked = true;
        }
        Said::plain(200, String::new())
    }

    fn issue(&mut self, family: usize, invocation: u64, now: u64, lifetime: u64) -> Said {
        let number = self.answers.len();
        let single_use = self.families[family].single_use;
        let first = self.answers.iter().find(|answer| answer.family == family);
        let refresh = match first {
            Some(first) if !single_use => first.refresh.clone(),
            _ => format!("rt-{number}"),
        };
        let mut body = json!({
            "access_token": format!("at-{number}"), "token_type": "bearer", "expires_in": lifetime,
        });
        if single_use || first.is_none() {
            body["refresh_token"] = refresh.clone().into();
        }
        self.families[family].newest = number;
        self.answers.push(Answer {
            family,
            access: format!("at-{number}"),
            refresh,
            expires_at: now + lifetime * 1_000,
            invocation,
            spent_by: None,
            whole: false,
            stored: false,
        });
        Said {
            answer: Some(number),
            ..Said::plain(200, body.to_string())
        }
    }
}

fn get<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = form.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn refused(status: u16, error: &str) -> Said {
    Said::plain(status, json!({ "error": error }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_used_again_ends_its_family() {
        let mut provider = Provider::default();
        let code = provider.consent(true, 60);
        let form = |pairs: &[(&str, &str)]| {
            let client = [("client_id", "client"), ("client_secret", "secret")];
            let pairs = pairs.iter().chain(&client);
            let owned = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            owned.collect::<Vec<_>>()
        };
        let exchange = form(&[("grant_type", "authorization_code"), ("code", &code)]);
        assert_eq!(provider.token(&exchange, 1, 0, 60).status, 200);
        assert_eq!(provider.token(&exchange, 1, 0, 60).status, 400);
        let refresh = form(&[("grant_type", "refresh_token"), ("refresh_token", "rt-0")]);
        assert_eq!(provider.token(&refresh, 1, 0, 60).status, 200);
        assert_eq!(provider.token(&refresh, 1, 0, 60).reuse_of, Some(0));
        assert!(!provider.families[0].alive);
    }
}
