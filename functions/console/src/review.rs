//! The pages of an import: the form that takes an archive, and what was found in it, with what has to be decided.

use std::sync::Arc;

use consulate_bundle::bundle::{Finding, Import};
use consulate_bundle::plan::{Refused, Why};
use consulate_core::browser::escape;
use consulate_core::definition::{Authentication, OwnerMode, Passport};

use crate::findings::findings;
use crate::importing::{ADDRESS, Judged};
use crate::page::{Tone, hidden, said, token};
use crate::session::{Fields, Signed};
use crate::upload::FILE;
use crate::words::{fact, pill, prose};
use crate::{defining_texts as texts, texts as common};

/// Name of the field that carries the definitions, and what the code gets wrong.
pub(crate) const DEFINITIONS: &str = "definitions";

/// The form for an archive, after `news`.
pub(crate) fn upload_form(signed: &Signed, news: &str) -> String {
    format!(
        "<p class=\"crumbs\"><a href=\"/console\">{crumb}</a></p>\
         <div class=\"head\"><h1>{heading}</h1><p class=\"soft\">{about}</p></div>{news}\
         <form method=\"post\" action=\"{ADDRESS}\" enctype=\"multipart/form-data\" class=\"card upload\">{token}\
         <label class=\"drop\"><span class=\"drop-mark\" aria-hidden=\"true\"></span><strong>{choose}</strong><span class=\"soft\">{drop}</span>\
         <input type=\"file\" name=\"{FILE}\" accept=\".zip,application/zip,.json,application/json\" multiple required></label>\
         <p class=\"soft small\">{limits}</p><button class=\"main\" type=\"submit\">{look}</button></form>",
        crumb = escape(common::WIDGETS),
        heading = escape(texts::IMPORT),
        about = prose(texts::IMPORT_ABOUT),
        token = token(signed),
        choose = escape(texts::CHOOSE_ARCHIVE),
        drop = escape(texts::OR_DROP),
        limits = prose(texts::LIMITS),
        look = escape(texts::LOOK_AT_IT),
    )
}

/// A bundle under review.
pub(crate) struct Review<'r> {
    pub(crate) definitions: &'r str,
    pub(crate) judged: Judged<'r>,
    /// HTML of what has just happened.
    pub(crate) news: &'r str,
    /// What was decided so far.
    pub(crate) fields: &'r Fields,
    pub(crate) passports: &'r [Arc<Passport>],
    pub(crate) base_url: &'r str,
    pub(crate) signed: &'r Signed,
}

impl Review<'_> {
    /// The page's main element.
    pub(crate) fn page(&self) -> String {
        let import = self.judged.import();
        let name = import.map_or(texts::THE_BUNDLE, |import| {
            match import.widget.name.as_str() {
                "" => &import.widget.id,
                name => name,
            }
        });
        let found = match self.judged {
            Judged::Faulty(all) if self.judged.wants_an_id() => {
                // What the next steps ask for needs no telling.
                let asked = ["widget_id_missing", "authentication_unbound"];
                let told = all.iter();
                let told: Vec<Finding> = told
                    .filter(|finding| !asked.contains(&finding.code))
                    .cloned()
                    .collect();
                findings(&told)
            }
            Judged::Faulty(all) => findings(all),
            Judged::Refused {
                refused,
                findings: all,
            } => format!("{}{}", self.refused(refused), findings(all)),
            Judged::Ready { findings: all, .. } => findings(all),
        };
        let facts = import.map_or_else(String::new, |import| self.facts(import));
        format!(
            "<p class=\"crumbs\"><a href=\"/console\">{widgets}</a> / <a href=\"{ADDRESS}\">{crumb}</a></p>\
             <div class=\"head\"><h1>{heading}</h1><p class=\"soft\">{nothing_yet}</p></div>{news}\
             <div class=\"columns\"><div class=\"stack\">{found}{form}</div><aside class=\"stack\">{facts}</aside></div>",
            widgets = escape(common::WIDGETS),
            crumb = escape(texts::IMPORT),
            heading = escape(&texts::IMPORT_OF.replace("{name}", name)),
            nothing_yet = escape(texts::NOTHING_YET),
            form = self.form(),
            news = self.news,
        )
    }

    fn refused(&self, refused: &Refused) -> String {
        let text = match refused.why {
            Why::HostTaken => texts::HOST_TAKEN,
            Why::HostDiffers => texts::HOST_DIFFERS,
            Why::PassportUnknown => texts::BOUND_TO_NOTHING,
            Why::OtherProvider => texts::BOUND_TO_OTHER,
            Why::NotForBrowsers => texts::NOT_FOR_BROWSERS,
        };
        let about = |name: &str| {
            let value = refused.detail.get(name);
            value.and_then(|value| value.as_str()).unwrap_or_default()
        };
        let host = refused.import.host.as_ref();
        let text = text
            .replace("{host}", host.map_or("", |host| &host.id))
            .replace("{account}", about("auth_key"))
            .replace("{passport}", about("passport"));
        said(Tone::Bad, &text)
    }

    /// What is to be decided; nothing where nothing can be.
    fn form(&self) -> String {
        let (cards, button) = match self.judged {
            Judged::Faulty(_) if self.judged.wants_an_id() => (self.id_card(), texts::CHECK_AGAIN),
            Judged::Faulty(_) => {
                return format!(
                    "<section class=\"card\"><p>{}</p><p><a class=\"button\" href=\"{ADDRESS}\">{}</a></p></section>",
                    escape(texts::NOT_IMPORTABLE),
                    escape(texts::ANOTHER_ARCHIVE)
                );
            }
            Judged::Refused { refused, .. } => {
                let cards = format!("{}{}", self.accounts(&refused.import), self.host_card(true));
                (cards, texts::CHECK_AGAIN)
            }
            Judged::Ready {
                plan,
                differences,
                agreement,
                ..
            } => {
                let is_new = plan.stored_widget().is_none();
                let cards = format!(
                    "{}{}{}",
                    self.accounts(&plan.import),
                    self.host_card(plan.joins_host()),
                    self.changes(is_new, differences, agreement)
                );
                (cards, texts::IMPORT_IT)
            }
        };
        let act = match button {
            texts::IMPORT_IT => "import",
            _ => "check",
        };
        let again = match act {
            "import" => format!(
                "<button type=\"submit\" name=\"act\" value=\"check\" formnovalidate>{}</button>",
                escape(texts::CHECK_AGAIN)
            ),
            _ => String::new(),
        };
        let id = match self.judged.wants_an_id() {
            true => String::new(),
            false => hidden("widget", self.fields.text("widget").trim()),
        };
        format!(
            "<form method=\"post\" action=\"{ADDRESS}\" enctype=\"multipart/form-data\" class=\"stack\" autocomplete=\"off\">{token}{definitions}{id}{cards}\
             <div class=\"ways\"><button class=\"main\" type=\"submit\" name=\"act\" value=\"{act}\">{button}</button>{again}<a class=\"button quiet\" href=\"/console\">{cancel}</a></div></form>",
            token = token(self.signed),
            definitions = hidden(DEFINITIONS, self.definitions),
            button = escape(button),
            cancel = escape(texts::CANCEL),
        )
    }

    fn id_card(&self) -> String {
        format!(
            "<section class=\"card\"><h2>{}</h2><label>{} <span class=\"soft\">{}</span><input name=\"widget\" required maxlength=\"63\" pattern=\"[a-z0-9][a-z0-9\\-]*\" value=\"{}\"></label></section>",
            escape(texts::NAME_IT),
            escape(texts::WIDGET_ID),
            escape(texts::ID_RULE),
            escape(self.fields.text("widget").trim()),
        )
    }

    fn host_card(&self, asks: bool) -> String {
        if !asks {
            return String::new();
        }
        let checked = match self.fields.text("join_host") {
            "yes" => " checked",
            _ => "",
        };
        format!(
            "<section class=\"card\"><h2>{}</h2><label class=\"box\"><input type=\"checkbox\" name=\"join_host\" value=\"yes\"{checked}><span>{}</span></label></section>",
            escape(common::HOST),
            escape(texts::JOIN_HOST)
        )
    }

    fn changes(&self, is_new: bool, differences: &[String], agreement: &str) -> String {
        let body = match (is_new, differences) {
            (_, [_, ..]) => {
                let rows: String = differences
                    .iter()
                    .map(|line| format!("<li>{}</li>", difference(line)))
                    .collect();
                format!(
                    "<p class=\"soft\">{}</p><ul class=\"differences\">{rows}</ul>{}\
                     <label class=\"box\"><input type=\"checkbox\" name=\"accept\" value=\"yes\" required><span>{}</span></label>",
                    escape(texts::CHANGES_ABOUT),
                    hidden("agreement", agreement),
                    escape(texts::AGREE)
                )
            }
            (true, []) => format!("<p class=\"soft\">{}</p>", escape(texts::FIRST_IMPORT)),
            (false, []) => format!("<p class=\"soft\">{}</p>", escape(texts::NOTHING_WIDENS)),
        };
        format!(
            "<section class=\"card\"><div class=\"title\"><h2>{}</h2>{}</div>{body}</section>",
            escape(texts::CHANGES),
            match (is_new, differences.len()) {
                (_, 1..) => pill(Some(Tone::Warn), texts::TO_AGREE_TO),
                (true, _) => pill(Some(Tone::Good), texts::NEW),
                (false, _) => pill(Some(Tone::Good), texts::NO_CHANGE),
            }
        )
    }

    /// A row for each authentication: the bundle's own passport, or a choice among those that fit.
    fn accounts(&self, import: &Import) -> String {
        let rows: String = import
            .widget
            .authentications
            .iter()
            .map(|authentication| self.account(import, authentication))
            .collect();
        if rows.is_empty() {
            return String::new();
        }
        format!(
            "<section class=\"card\"><h2>{}</h2><p class=\"soft small\">{}</p><div class=\"stack\">{rows}</div></section>",
            escape(texts::ACCOUNTS),
            escape(texts::ACCOUNTS_ABOUT)
        )
    }

    fn account(&self, import: &Import, authentication: &Authentication) -> String {
        let Authentication {
            auth_key,
            label,
            provider,
            owner,
            passport,
            ..
        } = authentication;
        let label = if label.is_empty() { auth_key } else { label };
        let owner = match owner {
            OwnerMode::User => common::OWNER_USER,
            OwnerMode::Organisation => common::OWNER_ORGANISATION,
        };
        let mut own = import.passports.iter();
        if let Some(own) = own.find(|own| Some(&own.id) == passport.as_ref()) {
            return format!(
                "<div class=\"account\"><span><strong>{}</strong> <span class=\"soft small\">{}</span></span><span>{} <span class=\"soft\">{}</span></span></div>",
                escape(label),
                escape(owner),
                escape(&own.name),
                escape(common::BUNDLED)
            );
        }
        let fits = |known: &&Arc<Passport>| {
            !known.id.contains('.') && (provider.is_empty() || known.provider == *provider)
        };
        let options: String = self
            .passports
            .iter()
            .filter(fits)
            .map(|known| {
                let selected = match Some(&known.id) == passport.as_ref() {
                    true => " selected",
                    false => "",
                };
                format!(
                    "<option value=\"{0}\"{selected}>{1} ({0})</option>",
                    escape(&known.id),
                    escape(&known.name)
                )
            })
            .collect();
        format!(
            "<div class=\"account\"><label>{label} <span class=\"soft\">{owner} · {provider}</span>\
             <select name=\"bind.{key}\"><option value=\"\">{later}</option>{options}</select></label></div>",
            label = escape(label),
            owner = escape(owner),
            provider = escape(if provider.is_empty() {
                texts::ANY_PROVIDER
            } else {
                provider
            }),
            key = escape(auth_key),
            later = escape(match passport {
                Some(_) => texts::AS_BEFORE,
                None => texts::LATER,
            }),
        )
    }

    /// What the bundle is, and where credentials would go.
    fn facts(&self, import: &Import) -> String {
        let code = |text: &str| format!("<code>{}</code>", escape(text));
        let list = |all: &[String]| match all {
            [] => pill(Some(Tone::Warn), common::NONE),
            all => {
                let all: Vec<String> = all.iter().map(|one| code(one)).collect();
                all.join("<br>")
            }
        };
        let widget = &import.widget;
        let host = match &widget.host {
            Some(host) => code(host),
            None => pill(Some(Tone::Warn), common::NO_HOST),
        };
        let admins: Vec<String> = widget
            .admins
            .iter()
            .map(|admin| {
                let who = admin.email.as_deref().or(admin.user.as_deref());
                code(&format!(
                    "{} {}",
                    admin.organisation,
                    who.unwrap_or_default()
                ))
            })
            .collect();
        let mut cards = format!(
            "<section class=\"card\"><h2>{}</h2><dl class=\"facts\">{}{}{}{}{}{}</dl></section>",
            escape(common::ABOUT_WIDGET),
            fact(common::ID, &code(&widget.id)),
            fact(common::HOST, &host),
            fact(common::ORIGINS, &list(&widget.origins)),
            fact(common::RETURN_URLS, &list(&widget.return_urls)),
            fact(
                texts::ADMINS,
                &match admins.is_empty() {
                    true => crate::words::dash(),
                    false => admins.join("<br>"),
                }
            ),
            fact(common::NAMED_APIS, &widget.apis.len().to_string()),
        );
        for passport in &import.passports {
            let hosts = [passport.api_hosts.clone(), passport.host_patterns.clone()].concat();
            cards.push_str(&format!(
                "<section class=\"card\"><h2>{}</h2><p class=\"soft small\">{}</p><dl class=\"facts\">{}{}{}</dl></section>",
                escape(&passport.name),
                escape(texts::ITS_OWN_PASSPORT),
                fact(common::ID, &code(&passport.id)),
                fact(
                    common::REDIRECT_URI,
                    &code(&format!("{}/v1/callback/{}", self.base_url, passport.id))
                ),
                fact(common::SENT_TO, &list(&hosts)),
            ));
        }
        for (name, template) in &widget.qrvey {
            cards.push_str(&format!(
                "<section class=\"card\"><h2>Qrvey: {}</h2><dl class=\"facts\">{}</dl></section>",
                escape(name),
                fact(texts::API_KEY_TO, &code(&template.domain))
            ));
        }
        if !import.notes.is_empty() {
            let notes: String = import
                .notes
                .iter()
                .map(|note| format!("<li>{}</li>", prose(note)))
                .collect();
            cards.push_str(&format!(
                "<section class=\"card\"><h2>{}</h2><ul class=\"small soft\">{notes}</ul></section>",
                escape(texts::NOTES)
            ));
        }
        cards
    }
}

/// `what: before -> after`, with the parts told apart; any other line as it is.
fn difference(line: &str) -> String {
    let parts = line
        .split_once(": ")
        .and_then(|(what, rest)| Some((what, rest.split_once(" -> ")?)));
    match parts {
        Some((what, (before, after))) => format!(
            "<strong>{}</strong> <del>{}</del> <ins>{}</ins>",
            escape(what),
            escape(before),
            escape(after)
        ),
        None => prose(line),
    }
}
