//! PURE. When an access token may be handed to the widget itself (option 1 of the Happeo page "Advanced usage"), and why not.

use crate::definition::{Authentication, Delivery, OwnerMode};

use super::{Credential, Passport};

/// Why an access token is not handed to the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryRefused {
    /// The widget's operator has not declared it.
    #[error("this authentication is not declared for browser delivery")]
    NotDeclared,
    /// Everybody of the organisation would hold the one access token.
    #[error("an account of the organisation is used on the server only")]
    Organisation,
    /// The passport's operator has not allowed it.
    #[error("this passport does not allow browser delivery")]
    NotAllowed,
    /// Keys, passwords and tokens of a machine: nobody consented to their going anywhere.
    #[error("only an access token that its owner consented to is handed out")]
    NotConsented,
    /// Presenting the access token brings the next one: it is a refresh token by another name.
    #[error("this provider's access token renews itself, so it is never handed out")]
    RenewsItself,
    /// Nothing would end what was handed out.
    #[error("an access token without an end is never handed out")]
    Endless,
}

impl DeliveryRefused {
    /// What it hangs on: a field of `consulate.json`, of the passport, or of the answer.
    pub fn field(self) -> &'static str {
        match self {
            Self::NotDeclared => "delivery",
            Self::Organisation => "owner",
            Self::NotAllowed => "browser_delivery",
            Self::NotConsented => "credential",
            Self::RenewsItself => "renewal",
            Self::Endless => "expires_at",
        }
    }
}

impl Authentication {
    /// Whether the widget's definition allows browser delivery.
    ///
    /// # Errors
    /// Why it does not.
    pub fn may_deliver(&self) -> Result<(), DeliveryRefused> {
        match (self.delivery, self.owner) {
            (Delivery::Server, _) => Err(DeliveryRefused::NotDeclared),
            (Delivery::Browser, OwnerMode::Organisation) => Err(DeliveryRefused::Organisation),
            (Delivery::Browser, OwnerMode::User) => Ok(()),
        }
    }
}

impl Passport {
    /// Whether access tokens of this passport may be handed to the browser of `authentication`'s widget. Whether a certain one
    /// has an end is seen when it is there.
    ///
    /// # Errors
    /// Why they may not.
    pub fn may_deliver(&self, authentication: &Authentication) -> Result<(), DeliveryRefused> {
        authentication.may_deliver()?;
        // What no word of an operator can change comes first.
        if self.credential != Credential::Oauth2 {
            Err(DeliveryRefused::NotConsented)
        } else if self.renewal.is_some() {
            Err(DeliveryRefused::RenewsItself)
        } else if !self.browser_delivery {
            Err(DeliveryRefused::NotAllowed)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authentication(owner: &str, delivery: &str) -> Authentication {
        let document = serde_json::json!({"auth_key": "a", "owner": owner, "delivery": delivery});
        serde_json::from_value(document).unwrap()
    }

    fn judge(change: impl FnOnce(&mut Passport)) -> Result<(), DeliveryRefused> {
        let mut passport = Passport {
            browser_delivery: true,
            ..Passport::default()
        };
        change(&mut passport);
        passport.may_deliver(&authentication("user", "browser"))
    }

    #[test]
    fn both_operators_words_are_needed_and_neither_opens_what_must_stay() {
        let exchange =
            serde_json::json!({"url": "https://x.example", "grant_type": "g", "token_param": "t"});
        assert_eq!(judge(|_| {}), Ok(()));
        assert_eq!(
            judge(|passport| passport.browser_delivery = false),
            Err(DeliveryRefused::NotAllowed)
        );
        for credential in [
            Credential::ApiKey,
            Credential::Basic,
            Credential::PersonalAccessToken,
            Credential::ClientCredentials,
        ] {
            assert_eq!(
                judge(|passport| passport.credential = credential),
                Err(DeliveryRefused::NotConsented)
            );
        }
        assert_eq!(
            judge(|passport| passport.renewal = serde_json::from_value(exchange).unwrap()),
            Err(DeliveryRefused::RenewsItself)
        );
        let passport = Passport {
            browser_delivery: true,
            ..Passport::default()
        };
        for (owner, delivery, refused) in [
            ("user", "server", DeliveryRefused::NotDeclared),
            ("organisation", "server", DeliveryRefused::NotDeclared),
            ("organisation", "browser", DeliveryRefused::Organisation),
        ] {
            let authentication = authentication(owner, delivery);
            assert_eq!(passport.may_deliver(&authentication), Err(refused));
        }
    }
}
