//! Every English sentence a person reads on this function's pages: one place, so that other languages can stand beside it.
//! Names in braces are filled by the page that shows the text.

/// Language of the texts (BCP 47).
pub(crate) const LANGUAGE: &str = "en";

/// Heading of the handshake page. `{passport}`.
pub(crate) const CONNECT: &str = "Connect {passport}";
/// Who asked. `{user}`, `{organisation}`, `{widget}`.
pub(crate) const ASKED_BY: &str =
    "User {user} of organisation {organisation} asked for this in the widget {widget}.";
/// Why to think before clicking.
pub(crate) const ONLY_IF_YOU: &str = "Continue only if that is you, and you asked just now. The account you choose next will be used by this widget.";
/// The button.
pub(crate) const CONTINUE: &str = "Continue";
/// While the opener has not answered.
pub(crate) const WAITING: &str = "Waiting for the page you came from to confirm who you are.";
/// Nobody answers.
pub(crate) const ALONE: &str = "The page you came from cannot be reached from this window, so nobody can confirm who you \
    are. Close this window, go back and try again. If it happens again, that page cuts the tie to windows it opens \
    (Cross-Origin-Opener-Policy, or a sandbox): ask the people who run the widget to connect in redirect mode, which \
    needs no second window.";
/// Without scripts.
pub(crate) const NEEDS_SCRIPT: &str =
    "This page needs JavaScript to ask the page you came from who you are.";

/// Heading when the account is connected.
pub(crate) const CONNECTED: &str = "Your account is connected";
/// Heading when it is not.
pub(crate) const NOT_CONNECTED: &str = "The account was not connected";
/// Heading when an address is opened that tells nothing.
pub(crate) const NOTHING_HERE: &str = "Nothing is going on here";
/// What to do with the window.
pub(crate) const CLOSE_WINDOW: &str =
    "You can close this window and go back to where you came from.";
/// The button that does it.
pub(crate) const CLOSE: &str = "Close this window";
/// Introduces the provider's own words.
pub(crate) const PROVIDER_SAID: &str = "The provider said:";

/// Heading of a page that refuses.
pub(crate) const NOT_POSSIBLE: &str = "This cannot go on";
/// A spent ticket.
pub(crate) const TICKET_SPENT: &str = "This connect link was used already or has expired. Close this window, go back to the widget and choose Connect again.";
/// A refused handshake.
pub(crate) const HANDSHAKE_REFUSED: &str = "This could not be confirmed as coming from the person who asked to connect. \
    Nothing was connected. Close this window, go back to the widget and choose Connect again.";
/// An operator's to repair.
pub(crate) const NOT_SET_UP: &str =
    "This widget's connection is not set up completely: an operator has to look at it.";
/// Ours to repair.
pub(crate) const UNAVAILABLE: &str =
    "Something on our side does not answer. Please try again in a minute.";

/// The person, or an administrator's policy, said no.
pub(crate) const ACCESS_DENIED: &str = "The provider was told not to give access.";
/// The provider said no for another reason.
pub(crate) const PROVIDER_REFUSED: &str = "The provider refused to connect the account.";
/// The provider is down, or answers what cannot be read.
pub(crate) const PROVIDER_UNAVAILABLE: &str =
    "The provider did not answer in a way that can be understood. Please try again in a minute.";
/// No or another flow cookie.
pub(crate) const COOKIE_MISSING: &str = "This was not begun in this browser, or the browser did not keep our cookie. \
    Nothing was connected. If you did begin it here, allow cookies for this address and choose Connect again.";
/// A used or unknown state.
pub(crate) const STATE_SPENT: &str =
    "This link was used already or has expired. Go back to the widget and choose Connect again.";
/// The answer came on another passport's path.
pub(crate) const WRONG_PASSPORT: &str =
    "The provider's answer came to the wrong address. Nothing was connected.";
/// `iss` is missing or another.
pub(crate) const ISSUER_MISMATCH: &str =
    "The answer did not come from the provider that was asked. Nothing was connected.";
/// The passport changed meanwhile.
pub(crate) const CONFIG_CHANGED: &str =
    "The connection's settings changed while you were away. Please choose Connect again.";
/// A callback that cannot be read.
pub(crate) const CALLBACK_MALFORMED: &str =
    "The provider's answer cannot be read. Nothing was connected.";
