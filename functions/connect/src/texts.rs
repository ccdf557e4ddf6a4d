//! Every sentence a person reads on this function's pages, in each language: one place, so that what one says all say.
//! Names in braces are filled by the page that shows the text.

use http::header::{ACCEPT_LANGUAGE, HeaderMap};

/// A language the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

impl Language {
    const ALL: [Self; 2] = [Self::English, Self::German];

    /// As in `lang` (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// PURE. What a browser's `Accept-Language` likes best of what there is (RFC 9110 section 12.5.4): the first of the
    /// heaviest. English where it likes none of it, or says nothing that can be read.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
        let mut best = (0.0, Self::default());
        for range in wanted.unwrap_or_default().split(',') {
            let (name, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = parameter.trim().strip_prefix("q=");
            let weight = weight.and_then(|q| q.trim().parse::<f32>().ok());
            let main = name.trim().split('-').next().unwrap_or_default();
            let mut all = Self::ALL.into_iter();
            let known = all.find(|language| language.tag().eq_ignore_ascii_case(main));
            if let (Some(language), Some(weight)) = (known, weight)
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// One sentence in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    en: &'static str,
    de: &'static str,
}

impl Text {
    pub(crate) const fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::German => self.de,
        }
    }
}

/// Heading of the handshake page. `{passport}`.
pub(crate) const CONNECT: Text = Text {
    en: "Connect {passport}",
    de: "{passport} verbinden",
};
/// Who asked. `{user}`, `{organisation}`, `{widget}`.
pub(crate) const ASKED_BY: Text = Text {
    en: "User {user} of organisation {organisation} asked for this in the widget {widget}.",
    de: "{user} von der Organisation {organisation} hat das im Widget {widget} verlangt.",
};
/// Why to think before clicking.
pub(crate) const ONLY_IF_YOU: Text = Text {
    en: "Continue only if that is you, and you asked just now. The account you choose next will be used by this widget.",
    de: "Fahren Sie nur fort, wenn Sie das sind und es gerade eben verlangt haben. Das Konto, das Sie als Nächstes wählen, \
         wird von diesem Widget verwendet.",
};
/// The button.
pub(crate) const CONTINUE: Text = Text {
    en: "Continue",
    de: "Weiter",
};
/// While the opener has not answered.
pub(crate) const WAITING: Text = Text {
    en: "Waiting for the page you came from to confirm who you are.",
    de: "Die Seite, von der Sie kommen, bestätigt gerade, wer Sie sind.",
};
/// Nobody answers.
pub(crate) const ALONE: Text = Text {
    en: "The page you came from cannot be reached from this window, so nobody can confirm who you \
         are. Close this window, go back and try again. If it happens again, that page cuts the tie to windows it opens \
         (Cross-Origin-Opener-Policy, or a sandbox): ask the people who run the widget to connect in redirect mode, which \
         needs no second window.",
    de: "Die Seite, von der Sie kommen, ist von diesem Fenster aus nicht zu erreichen; so kann niemand bestätigen, wer Sie \
         sind. Schließen Sie dieses Fenster, gehen Sie zurück und versuchen Sie es noch einmal. Geschieht es wieder, dann \
         trennt jene Seite die Verbindung zu Fenstern, die sie öffnet (Cross-Origin-Opener-Policy oder eine Sandbox): Bitten \
         Sie die Betreiber des Widgets, mit Weiterleitung (redirect) zu verbinden; das braucht kein zweites Fenster.",
};
/// Without scripts.
pub(crate) const NEEDS_SCRIPT: Text = Text {
    en: "This page needs JavaScript to ask the page you came from who you are.",
    de: "Diese Seite braucht JavaScript, um die Seite, von der Sie kommen, zu fragen, wer Sie sind.",
};

/// Heading when the account is connected.
pub(crate) const CONNECTED: Text = Text {
    en: "Your account is connected",
    de: "Ihr Konto ist verbunden",
};
/// Heading when it is not.
pub(crate) const NOT_CONNECTED: Text = Text {
    en: "The account was not connected",
    de: "Das Konto wurde nicht verbunden",
};
/// Heading when an address is opened that tells nothing.
pub(crate) const NOTHING_HERE: Text = Text {
    en: "Nothing is going on here",
    de: "Hier geschieht gerade nichts",
};
/// What to do with the window.
pub(crate) const CLOSE_WINDOW: Text = Text {
    en: "You can close this window and go back to where you came from.",
    de: "Sie können dieses Fenster schließen und dorthin zurückgehen, woher Sie kamen.",
};
/// The button that does it.
pub(crate) const CLOSE: Text = Text {
    en: "Close this window",
    de: "Fenster schließen",
};
/// Introduces the provider's own words.
pub(crate) const PROVIDER_SAID: Text = Text {
    en: "The provider said:",
    de: "Der Anbieter sagt dazu:",
};

/// Heading of a page that refuses.
pub(crate) const NOT_POSSIBLE: Text = Text {
    en: "This cannot go on",
    de: "Hier geht es nicht weiter",
};
/// A spent ticket.
pub(crate) const TICKET_SPENT: Text = Text {
    en: "This connect link was used already or has expired. Close this window, go back to the widget and choose Connect again.",
    de: "Dieser Link wurde schon benutzt oder ist abgelaufen. Schließen Sie dieses Fenster, gehen Sie zum Widget zurück und \
         verbinden Sie noch einmal.",
};
/// A refused handshake.
pub(crate) const HANDSHAKE_REFUSED: Text = Text {
    en: "This could not be confirmed as coming from the person who asked to connect. \
         Nothing was connected. Close this window, go back to the widget and choose Connect again.",
    de: "Es ließ sich nicht bestätigen, dass das von der Person kommt, die verbinden wollte. Es wurde nichts verbunden. \
         Schließen Sie dieses Fenster, gehen Sie zum Widget zurück und verbinden Sie noch einmal.",
};
/// An operator's to repair.
pub(crate) const NOT_SET_UP: Text = Text {
    en: "This widget's connection is not set up completely: an operator has to look at it. Please tell the people who run the widget.",
    de: "Die Verbindung dieses Widgets ist nicht fertig eingerichtet. Bitte sagen Sie den Betreibern des Widgets Bescheid.",
};
/// Ours to repair.
pub(crate) const UNAVAILABLE: Text = Text {
    en: "Something on our side does not answer. Please try again in a minute.",
    de: "Auf unserer Seite antwortet etwas nicht. Bitte versuchen Sie es in einer Minute noch einmal.",
};

/// The person, or an administrator's policy, said no.
pub(crate) const ACCESS_DENIED: Text = Text {
    en: "The provider was told not to give access.",
    de: "Dem Anbieter wurde gesagt, dass er keinen Zugriff geben soll.",
};
/// The provider said no for another reason.
pub(crate) const PROVIDER_REFUSED: Text = Text {
    en: "The provider refused to connect the account.",
    de: "Der Anbieter hat abgelehnt, das Konto zu verbinden.",
};
/// The provider is down, or answers what cannot be read.
pub(crate) const PROVIDER_UNAVAILABLE: Text = Text {
    en: "The provider did not answer in a way that can be understood. Please try again in a minute.",
    de: "Der Anbieter hat nicht verständlich geantwortet. Bitte versuchen Sie es in einer Minute noch einmal.",
};
/// No or another flow cookie.
pub(crate) const COOKIE_MISSING: Text = Text {
    en: "This was not begun in this browser, or the browser did not keep our cookie. \
         Nothing was connected. If you did begin it here, allow cookies for this address and choose Connect again.",
    de: "Das wurde nicht in diesem Browser begonnen, oder er hat unser Cookie nicht behalten. Es wurde nichts verbunden. Wenn \
         Sie hier begonnen haben, erlauben Sie Cookies für diese Adresse und verbinden Sie noch einmal.",
};
/// A used or unknown state.
pub(crate) const STATE_SPENT: Text = Text {
    en: "This link was used already or has expired. Go back to the widget and choose Connect again.",
    de: "Dieser Link wurde schon benutzt oder ist abgelaufen. Gehen Sie zum Widget zurück und verbinden Sie noch einmal.",
};
/// The answer came on another passport's path.
pub(crate) const WRONG_PASSPORT: Text = Text {
    en: "The provider's answer came to the wrong address. Nothing was connected.",
    de: "Die Antwort des Anbieters kam an der falschen Adresse an. Es wurde nichts verbunden.",
};
/// `iss` is missing or another.
pub(crate) const ISSUER_MISMATCH: Text = Text {
    en: "The answer did not come from the provider that was asked. Nothing was connected.",
    de: "Die Antwort kam nicht von dem Anbieter, der gefragt wurde. Es wurde nichts verbunden.",
};
/// The passport changed meanwhile.
pub(crate) const CONFIG_CHANGED: Text = Text {
    en: "The connection's settings changed while you were away. Please choose Connect again.",
    de: "Die Einstellungen der Verbindung haben sich inzwischen geändert. Bitte verbinden Sie noch einmal.",
};
/// A callback that cannot be read.
pub(crate) const CALLBACK_MALFORMED: Text = Text {
    en: "The provider's answer cannot be read. Nothing was connected.",
    de: "Die Antwort des Anbieters ist nicht lesbar. Es wurde nichts verbunden.",
};

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    fn of(wanted: &str) -> Language {
        let value = HeaderValue::from_str(wanted).unwrap();
        Language::of(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, value)]))
    }

    #[test]
    fn the_browser_s_favourite_of_what_there_is_is_spoken() {
        for (wanted, spoken) in [
            ("de", Language::German),
            ("DE-at", Language::German),
            ("fr-CH, fr;q=0.9, de;q=0.7, en;q=0.8", Language::English),
            ("fr-CH, fr;q=0.9, en;q=0.7, de;q=0.8", Language::German),
            ("en, de", Language::English),
            ("de;q=0, en;q=0.1", Language::English),
            ("de;q=0", Language::English),
            ("de;q=much", Language::English),
            ("den", Language::English),
            ("fr", Language::English),
            ("*", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(of(wanted), spoken, "{wanted}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn every_language_fills_the_same_names() {
        for text in [CONNECT, ASKED_BY] {
            for name in ["{passport}", "{user}", "{organisation}", "{widget}"] {
                assert_eq!(text.en.contains(name), text.de.contains(name), "{name}");
            }
        }
    }
}
