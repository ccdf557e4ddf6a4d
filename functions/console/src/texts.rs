//! Every English sentence of the console's pages: one place, so that other languages can stand beside it. Names in braces are
//! filled by the page that shows the text.

use consulate_core::connections::Ailment;

use crate::page::Tone;

pub(crate) const LANGUAGE: &str = "en";
pub(crate) const SKIP: &str = "Skip to the content";
pub(crate) const SECTIONS: &str = "Sections";
pub(crate) const WIDGETS: &str = "Widgets";
pub(crate) const PASSPORTS: &str = "Passports";
pub(crate) const HEALTH: &str = "Health";
pub(crate) const ACTIVITY: &str = "Activity";
pub(crate) const SIGNED_IN_UNTIL: &str = "until";
pub(crate) const SIGN_OUT: &str = "Sign out";
pub(crate) const SIGN_IN: &str = "Sign in to the console";
pub(crate) const SIGN_IN_HOW: &str = "Whoever may use the operator's AWS credentials may sign in. Run this command and open the link it prints; it works once, for five minutes:";
pub(crate) const SIGN_IN_BUTTON: &str = "Sign in";
pub(crate) const SIGN_IN_NEEDS_SCRIPT: &str = "Signing in needs JavaScript: the link's secret part never reaches a server before you press the button. Everything after it works without.";
pub(crate) const SESSION_OVER: &str = "You are not signed in, or an hour has passed. Nothing was changed. Run `consulate console` for a new link.";
pub(crate) const FOREIGN_FORM: &str = "This did not come from a page of your own session, so nothing was done. Go back, load the page again and repeat it.";
pub(crate) const TICKET_SPENT: &str = "This link was used already, or is older than five minutes. Run `consulate console` for a new one.";
pub(crate) const UNAVAILABLE: &str =
    "Something this needs does not answer at the moment. Please try again in a minute.";
pub(crate) const UPLOAD_TOO_LARGE: &str = "The upload is larger than 4 MiB, which is the most this page takes. Use `consulate import` for this bundle, or pack only what the widget needs: `consulate pack`.";
pub(crate) const FORM_TOO_LARGE: &str = "What was sent is larger than 256 KiB, which is the most a form of this page takes. Nothing was done.";
pub(crate) const DEFINITIONS_TOO_LARGE: &str = "The bundle's definitions, unpacked, and what is to be said about them are more than this page can carry. Nothing was imported. Use `consulate import` for this bundle, or take out the passport files it does not use.";
pub(crate) const NOTHING_HERE: &str = "There is nothing at this address.";
pub(crate) const NOT_POSSIBLE: &str = "That was not possible";
pub(crate) const BACK_TO_CONSOLE: &str = "Go to the console";
pub(crate) const GOING_TO: &str = "Going to {passport}";
pub(crate) const GOING_WHY: &str =
    "You choose the account there and agree to what is asked for. Then you come back here.";
pub(crate) const CONTINUE: &str = "Continue";
pub(crate) const WIDGETS_ABOUT: &str =
    "What was imported, and which passport each of their accounts uses.";
pub(crate) const NO_WIDGETS: &str =
    "No widget is imported yet. Upload the ZIP of a bundle to begin.";
pub(crate) const OWNER_USER: &str = "each user's own account";
pub(crate) const OWNER_ORGANISATION: &str = "one account for the organisation";
pub(crate) const NOT_BOUND: &str = "No passport yet";
pub(crate) const HOST: &str = "Host";
pub(crate) const NO_HOST: &str = "No host yet";
pub(crate) const NO_AUTHENTICATIONS: &str = "It uses no account.";
pub(crate) const ACTING_FOR: &str = "Acting for";
pub(crate) const ACTING_FOR_ABOUT: &str = "Accounts belong to an organisation, or to one of its users. What you connect, try and disconnect here is theirs.";
pub(crate) const ORGANISATION_ID: &str = "Organisation id";
pub(crate) const USER_ID: &str = "User id";
pub(crate) const USER_NEEDED: &str = "for users' own accounts";
pub(crate) const OPTIONAL: &str = "optional";
pub(crate) const EMAIL: &str = "E-mail";
pub(crate) const CHOOSE: &str = "Act for them";
pub(crate) const ABOUT_WIDGET: &str = "About the widget";
pub(crate) const ID: &str = "Id";
pub(crate) const ORIGINS: &str = "May be called from";
pub(crate) const RETURN_URLS: &str = "Redirects come back to";
pub(crate) const NONE: &str = "None";
pub(crate) const NAMED_APIS: &str = "Named APIs";
pub(crate) const NAME: &str = "Name";
pub(crate) const METHOD: &str = "Method";
pub(crate) const ACCOUNT_KEY: &str = "Account";
pub(crate) const TRY_IT: &str = "Try it";
pub(crate) const CONNECTED: &str = "Connected";
pub(crate) const NEEDS_REAUTHORISATION: &str = "Needs reconnecting";
pub(crate) const DISCONNECTED: &str = "Disconnected";
pub(crate) const NOT_CONNECTED: &str = "Not connected";
pub(crate) const PASSPORT: &str = "Passport";
pub(crate) const BUNDLED: &str = "comes with the widget";
pub(crate) const NO_PASSPORT_FITS: &str = "There is no passport of the provider “{provider}” yet.";
pub(crate) const MAKE_ONE: &str = "Make one";
pub(crate) const CONNECT_BUNDLED: &str = "Connect {passport}";
pub(crate) const ITS_SECRET_MISSING: &str =
    "The passport has no client secret yet: connecting will fail until it is set under Passports.";
pub(crate) const NEW_PASSPORT: &str = "New passport";
pub(crate) const IMPORT: &str = "Import a widget";
pub(crate) const REBINDING: &str = "Accounts connected with the passport so far are left behind when you choose another. They are revoked after 90 days without use, or at once with `consulate connections revoke`.";
pub(crate) const CHOOSE_PASSPORT: &str = "Choose a passport";
pub(crate) const BIND: &str = "Use this passport";
pub(crate) const CHOOSE_SOMEBODY: &str = "Choose for whom you act, to see the account.";
pub(crate) const HOST_FIRST: &str = "The widget has no host, so it has no callers and no accounts of theirs. Import it again with a `host` in its `consulate.json`.";
pub(crate) const CHANGE_PASSPORT: &str = "Use another passport";
pub(crate) const CHOOSE_A_USER: &str =
    "Each user has an account of their own here: name the user you act for.";
pub(crate) const ACCOUNT: &str = "Account";
pub(crate) const CONNECTED_AT: &str = "Connected";
pub(crate) const ACCESS_UNTIL: &str = "Access token until";
pub(crate) const REAUTHORISE_BY: &str = "Reconnect by";
pub(crate) const SCOPES: &str = "Scopes";
pub(crate) const CONNECT: &str = "Connect";
pub(crate) const RECONNECT: &str = "Reconnect";
pub(crate) const DISCONNECT: &str = "Disconnect";
pub(crate) const WRITE_ONLY: &str =
    "What you type is stored sealed or in Secrets Manager, and never shown again.";
pub(crate) const SURE_TO_DISCONNECT: &str = "Disconnect this account? The widget stops working for everybody who uses it, and the grant is revoked at the provider.";
pub(crate) const API_ANSWERED: &str = "The API answered";
pub(crate) const NOT_CALLED: &str = "Not called:";
pub(crate) const ENVELOPE: &str = "What the widget gets";
pub(crate) const FURTHER: &str = "Further params";
pub(crate) const FURTHER_ABOUT: &str =
    "a JSON object; those the address does not name become query parameters";
pub(crate) const FURTHER_UNUSABLE: &str =
    "Further params must be one JSON object. Nothing was called.";
pub(crate) const CALL: &str = "Call the API";
pub(crate) const ACTIVITY_ABOUT: &str = "The last 200 things done in this console, for 90 days. What happens to connections otherwise is in the log and on the event bus; it has no store of its own.";
pub(crate) const WHEN: &str = "When";
pub(crate) const WHO: &str = "Who";
pub(crate) const WHAT: &str = "What";
pub(crate) const ON: &str = "On";
pub(crate) const RESULT: &str = "Result";
pub(crate) const PASSPORTS_ABOUT: &str = "Providers, with your own clients at them.";
pub(crate) const NO_PASSPORTS: &str =
    "There is no passport yet. Make one, or import a bundle that brings one.";
pub(crate) const PROVIDER: &str = "Provider";
pub(crate) const CLIENT_ID: &str = "Client id";
pub(crate) const REDIRECT_URI: &str = "Redirect URI";
pub(crate) const SENT_TO: &str = "Credentials go to";
pub(crate) const SECRET_SET: &str = "Secret set";
pub(crate) const SECRET_MISSING: &str = "Secret missing";
pub(crate) const NO_SECRET_NEEDED: &str = "No secret needed";
pub(crate) const PRIVATE_KEY: &str = "Private key (PKCS#8, PEM)";
pub(crate) const KEY_ID: &str = "Key id";
pub(crate) const CERTIFICATE_THUMBPRINT: &str = "Certificate thumbprint";
pub(crate) const EXPIRES_AT: &str = "Ends at the provider on";
pub(crate) const CLIENT_SECRET: &str = "Client secret";
pub(crate) const REPLACE_SECRET: &str = "Replace the secret";
pub(crate) const SET_SECRET: &str = "Set the secret";
pub(crate) const SAVE: &str = "Save";
pub(crate) const HOST_SECRET: &str = "Host secret";
pub(crate) const CURRENT_SECRET: &str = "Current secret";
pub(crate) const NEXT_SECRET: &str = "Next secret, while the host changes over (optional)";
pub(crate) const UNKNOWN: &str = "Not known";
pub(crate) const HEALTH_ABOUT: &str =
    "Connections that somebody should look at. Those that are well are not listed.";
pub(crate) const HEALTH_MORE: &str = "There are more than are shown. Narrow the list by its state, or use `consulate connections list`.";
pub(crate) const ALL_WELL: &str = "Nothing to look at: every connection is well.";
pub(crate) const NOTHING_FOUND: &str = "Nothing fits the search.";
pub(crate) const CONNECTION: &str = "Connection";
pub(crate) const HEALTH_STATE: &str = "State";
pub(crate) const SINCE: &str = "Since";
pub(crate) const NEXT_LOOK: &str = "Looked at next";
pub(crate) const ACTIONS: &str = "Actions";
pub(crate) const ANY: &str = "Any";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const SEARCH_IN: &str = "passport, widget, organisation, user, account or reason";
pub(crate) const LOOK: &str = "Show";
pub(crate) const ATTEMPTS: &str = "Attempts so far:";
pub(crate) const RENEW: &str = "Renew now";
pub(crate) const OPEN: &str = "Open";

/// What has just happened, by its code in the address; `None` for a code of nobody's: an address can be anybody's.
pub(crate) fn news(code: &str) -> Option<(Tone, &'static str)> {
    Some(match code {
        "bound" => (
            Tone::Good,
            "The passport is in use. Connect an account with it.",
        ),
        "bind_unknown" => (Tone::Bad, "There is no such widget, account or passport."),
        "bind_other_provider" => (
            Tone::Bad,
            "That passport is of another provider than the widget asks for. Nothing was changed.",
        ),
        "bind_bundled" => (
            Tone::Bad,
            "A passport that comes with a bundle is not to be chosen. Nothing was changed.",
        ),
        "bind_changed" => (
            Tone::Bad,
            "Somebody else changed the widget meanwhile. Nothing was changed: look again.",
        ),
        "person_chosen" => (Tone::Good, "You act for them from now on."),
        "person_unusable" => (
            Tone::Bad,
            "An organisation is needed, and ids of at most 256 characters.",
        ),
        "person_missing" => (Tone::Warn, "Choose for whom you act first."),
        "connected" => (Tone::Good, "The account is connected."),
        "disconnected" => (
            Tone::Good,
            "The account is disconnected: nobody can use it any more.",
        ),
        "not_bound" => (Tone::Warn, "Choose a passport first."),
        "credential_refused" => (
            Tone::Bad,
            "The provider does not accept what was typed, or a field is missing. Nothing was stored.",
        ),
        "organisation_not_listed" => (
            Tone::Bad,
            "The widget's host does not take callers of that organisation.",
        ),
        "unavailable" => (
            Tone::Bad,
            "Something this needs does not answer, or has to be set up first. Nothing is known to have changed: look at the account's state.",
        ),
        "imported" => (
            Tone::Good,
            "The widget is stored. What is missing before it works is said below.",
        ),
        "imported_without_secret" => (
            Tone::Bad,
            "The widget is stored, but the client secret it brought could not be: set it under Passports.",
        ),
        "passport_made" => (
            Tone::Good,
            "The passport is stored. Choose it on a widget's page.",
        ),
        "passport_made_bound" => (
            Tone::Good,
            "The passport is stored and in use. Connect an account with it.",
        ),
        "passport_made_without_secret" => (
            Tone::Bad,
            "The passport is stored, but its client secret could not be. Set it again below.",
        ),
        "bind_not_for_browsers" => (
            Tone::Bad,
            "The widget wants access tokens in the browser, which that passport never allows. Nothing was changed.",
        ),
        "secret_set" => (
            Tone::Good,
            "The secret is stored. It is in use within a minute.",
        ),
        "secret_unusable" => (
            Tone::Bad,
            "The secret is too short, or begins or ends with a space, or is not of the right kind. Nothing was stored.",
        ),
        "expiry_unusable" => (
            Tone::Bad,
            "The day on which the secret ends must be a date, as 2027-06-30, or be left out. Nothing was stored.",
        ),
        "renewed" => (Tone::Good, "Renewed: a new access token is stored."),
        "renewal_in_progress" => (Tone::Warn, "Somebody else is renewing it."),
        "renewal_held_back" => (
            Tone::Warn,
            "The provider asked to be left alone for a while. Try again later.",
        ),
        "renewal_impossible" => (
            Tone::Warn,
            "It cannot be renewed any more: the account has to be connected again.",
        ),
        "renewal_failed" => (Tone::Bad, "It could not be renewed now."),
        "access_denied" => (
            Tone::Warn,
            "You said no at the provider, so nothing was connected.",
        ),
        "provider_refused" => (Tone::Bad, "The provider refused to connect the account."),
        "provider_unavailable" => (
            Tone::Bad,
            "The provider did not answer in a way that can be understood. Nothing was connected.",
        ),
        "misconfigured" => (
            Tone::Bad,
            "The provider does not accept the passport's client. Check its id and its secret.",
        ),
        "callback_malformed" => (
            Tone::Bad,
            "The provider's answer cannot be read. Nothing was connected.",
        ),
        "state_spent" => (
            Tone::Warn,
            "That was used already or has expired. Choose Connect again.",
        ),
        "wrong_passport" => (
            Tone::Bad,
            "The provider's answer came to the wrong address. Nothing was connected.",
        ),
        "issuer_mismatch" => (
            Tone::Bad,
            "The answer did not come from the provider that was asked. Nothing was connected.",
        ),
        "config_changed" => (
            Tone::Warn,
            "The passport's settings changed while you were away. Choose Connect again.",
        ),
        _ => return None,
    })
}

/// Why a call would be refused, by connect's word.
pub(crate) fn reason(code: &str) -> Option<&'static str> {
    Some(match code {
        "not_connected" => "No account is connected yet.",
        "not_bound" => "No passport is chosen yet.",
        "disconnected" => "The account was disconnected.",
        "provider_refused" => {
            "The provider no longer accepts what is stored. Connect the account again."
        }
        "rotation_lost" => {
            "The provider's latest authorization never arrived. Connect the account again."
        }
        "config_changed" => {
            "The passport changed since the account was connected. Connect it again."
        }
        "missing_scopes" => "The account was connected without a scope that is needed.",
        "idle_revoked" => "The account was not used for so long that it was given up.",
        _ => return None,
    })
}

/// What became of a revocation, by its word.
pub(crate) fn revocation(code: &str) -> Option<&'static str> {
    Some(match code {
        "revoked" => "The provider confirmed that the grant is revoked.",
        "already_gone" => "The provider says that the grant was gone already.",
        "provider_has_none" => "The provider has no way to revoke; what was stored is deleted.",
        "gave_up" => {
            "The provider never confirmed that the grant is revoked. Remove it in the account's settings there."
        }
        "pending" => {
            "The provider has not confirmed yet that the grant is revoked; that is tried again."
        }
        _ => return None,
    })
}

/// What somebody did, by the word it is kept under.
pub(crate) fn act(what: &str) -> &'static str {
    match what {
        "signed_in" => "Signed in",
        "acts_for" => "Chose for whom to act",
        "imported" => "Imported a widget",
        "passport_made" => "Made a passport",
        "bound" => "Chose a passport",
        "connect_begun" => "Went to the provider to connect",
        "connected" => "Connected with a typed credential",
        "disconnected" => "Disconnected",
        "called" => "Tried an API",
        "secret_set" => "Set a client secret",
        "host_secret_set" => "Set a host secret",
        "renewal_asked" => "Asked for a renewal",
        _ => UNKNOWN,
    }
}

/// What is wrong with a connection.
pub(crate) fn ailment(ailment: Ailment) -> &'static str {
    match ailment {
        Ailment::Reauthorise => NEEDS_REAUTHORISATION,
        Ailment::Failing => "Renewal is failing",
        Ailment::Revoking => "Being revoked",
        Ailment::GaveUp => "Never confirmed as revoked",
    }
}
