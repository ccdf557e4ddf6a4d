//! PURE. What an entry may say depends on what an account is connected with.

use consulate_core::passport::{ClientAuthentication, Credential, RevocationStyle, SharedAccount};

use super::Judge;

impl Judge<'_> {
    /// What belongs to which kind of credential.
    pub(super) fn kind(&mut self) {
        let entry = self.entry;
        let (consented, minted) = (
            entry.credential.is_consented(),
            entry.credential.has_token_endpoint(),
        );
        let wanted = |wanted: bool| match wanted {
            true => "is missing: this kind of credential needs it",
            false => "does not belong to this kind of credential",
        };
        self.need(
            entry.authorize_url.is_empty() != consented,
            "authorize_url",
            wanted(consented),
        );
        self.need(
            entry.token_url.is_empty() != minted,
            "token_url",
            wanted(minted),
        );
        let none = wanted(false);
        let signs_in = entry.credential == Credential::PersonalAccessToken;
        self.need(
            signs_in || entry.revocation_style != RevocationStyle::SignOut,
            "revocation_style",
            none,
        );
        self.need(
            entry.revocation_url.is_some() || entry.revocation_style == RevocationStyle::default(),
            "revocation_url",
            "is missing: revocation_style says how it is called",
        );
        self.need(
            signs_in || entry.profile.is_some() || entry.shared_account == SharedAccount::default(),
            "profile",
            "is missing: shared_account needs to know the account",
        );
        self.need(
            entry.credential.has_client()
                || entry.client_authentication == ClientAuthentication::default(),
            "client_authentication",
            none,
        );
        for (field, given) in [
            ("slots", !entry.slots.is_empty()),
            ("long_lived", entry.long_lived.is_some()),
            ("renewal", entry.renewal.is_some()),
            ("pkce_off_because", entry.pkce_off_because.is_some()),
            ("authorize_params", !entry.authorize_params.is_empty()),
            ("issuer", entry.issuer.is_some()),
        ] {
            self.need(consented || !given, field, none);
        }
        if let Some(because) = &entry.pkce_off_because {
            self.need(
                !because.trim().is_empty(),
                "pkce_off_because",
                "says why PKCE is left off",
            );
        }
        self.need(
            !entry.appsecret_proof || entry.credential.has_client(),
            "appsecret_proof",
            none,
        );
        for (field, calls) in [
            ("token_calls_per_second", entry.token_calls_per_second),
            ("token_calls_at_once", entry.token_calls_at_once),
        ] {
            self.need(
                calls.is_none_or(|calls| (1..=1_000).contains(&calls)),
                field,
                "must be at least 1 and at most 1000",
            );
        }
        for (field, seconds) in [
            (
                "access_lifetime_default_seconds",
                entry.access_lifetime_default_seconds,
            ),
            ("renew_ahead_seconds", entry.renew_ahead_seconds),
            ("refresh_idle_seconds", entry.refresh_idle_seconds),
            ("refresh_absolute_seconds", entry.refresh_absolute_seconds),
        ] {
            // Ten years, as replies are bounded too.
            self.need(
                seconds.is_none_or(|seconds| (1..=315_360_000).contains(&seconds)),
                field,
                "must be seconds, at least 1 and at most ten years",
            );
        }
    }
}
