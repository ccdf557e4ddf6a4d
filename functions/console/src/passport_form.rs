//! The form that makes a passport, and the choice of a provider before it.

use std::collections::BTreeMap;

use consulate_bundle::catalogue::{Catalogue, Entry, Variable};
use consulate_bundle::secret_shape::EXPIRES_AT;
use consulate_core::browser::escape;
use consulate_core::definition::ClientAuthentication;

use crate::new_passport::{ADDRESS, CLIENT_AUTHENTICATIONS, KEPT_SECRET};
use crate::page::{hidden, token};
use crate::secrets::expiry_field;
use crate::session::{Fields, Signed};
use crate::words::prose;
use crate::{defining_texts as texts, texts as common};

fn crumbs() -> String {
    format!(
        "<p class=\"crumbs\"><a href=\"/console/passports\">{}</a></p>",
        escape(common::PASSPORTS)
    )
}

/// The choice of a provider, by category.
pub(crate) fn choice(catalogue: &Catalogue, fields: &Fields, news: &str) -> String {
    let mut categories: BTreeMap<&str, String> = BTreeMap::new();
    let usable = catalogue.entries().iter();
    for entry in usable.filter(|entry| entry.retired().is_none()) {
        categories
            .entry(&entry.category)
            .or_default()
            .push_str(&format!(
                "<option value=\"{}\">{}</option>",
                escape(&entry.id),
                escape(&entry.name)
            ));
    }
    let options: String = categories
        .iter()
        .map(|(category, options)| {
            format!(
                "<optgroup label=\"{}\">{options}</optgroup>",
                escape(category)
            )
        })
        .collect();
    let kept: String = ["widget", "auth_key"]
        .into_iter()
        .filter(|name| !fields.text(name).is_empty())
        .map(|name| hidden(name, fields.text(name)))
        .collect();
    format!(
        "{crumbs}<div class=\"head\"><h1>{heading}</h1><p class=\"soft\">{about}</p></div>{news}\
         <form class=\"card narrow\" method=\"get\" action=\"{ADDRESS}\">{kept}<label>{which}<select name=\"provider\" required><option value=\"\">{choose}</option>{options}</select></label>\
         <div class=\"ways\"><button class=\"main\" type=\"submit\">{next}</button></div></form>",
        crumbs = crumbs(),
        heading = escape(texts::NEW_PASSPORT),
        about = escape(texts::NEW_PASSPORT_ABOUT),
        which = escape(texts::WHICH_PROVIDER),
        choose = escape(texts::CHOOSE_PROVIDER),
        next = escape(texts::NEXT),
    )
}

/// What the form shows.
pub(crate) struct Shown<'a> {
    pub(crate) entry: &'a Entry,
    /// What was typed so far. Secrets among it are not shown again.
    pub(crate) fields: &'a Fields,
    pub(crate) base_url: &'a str,
    /// HTML of what has just happened.
    pub(crate) news: &'a str,
    /// How a passport of that id would change.
    pub(crate) differences: &'a [String],
    /// What stands for them.
    pub(crate) agreement: &'a str,
    /// The client secret that was typed, sealed; empty where none was.
    pub(crate) kept_secret: &'a str,
    pub(crate) signed: &'a Signed,
}

impl Shown<'_> {
    /// The page's main element.
    pub(crate) fn page(&self, title: &str) -> String {
        let fields = self.fields;
        let (widget, auth_key) = (fields.text("widget"), fields.text("auth_key"));
        let about = match (widget, auth_key) {
            ("", _) | (_, "") => texts::NEW_PASSPORT_ABOUT.to_owned(),
            (widget, account) => texts::MADE_FOR
                .replace("{account}", account)
                .replace("{widget}", widget),
        };
        let kept: String = [
            ("provider", self.entry.id.as_str()),
            ("widget", widget),
            ("auth_key", auth_key),
            (KEPT_SECRET, self.kept_secret),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| hidden(name, value))
        .collect();
        format!(
            "{crumbs}<div class=\"head\"><h1>{heading}</h1><p class=\"soft\">{about}</p></div>{news}\
             <div class=\"columns\"><form class=\"card\" method=\"post\" action=\"/console/passports\" autocomplete=\"off\">{token}{kept}<div class=\"fields\">{inputs}{agreement}</div>\
             <div class=\"ways\"><button class=\"main\" type=\"submit\">{make}</button><a class=\"button\" href=\"{ADDRESS}\">{other}</a></div></form>\
             <aside class=\"stack\">{registering}</aside></div>",
            crumbs = crumbs(),
            heading = escape(title),
            about = escape(&about),
            token = token(self.signed),
            inputs = self.inputs(),
            agreement = self.agreement(),
            make = escape(texts::MAKE),
            other = escape(texts::OTHER_PROVIDER),
            registering = self.registering(),
            news = self.news,
        )
    }

    fn inputs(&self) -> String {
        let entry = self.entry;
        let mut html = String::new();
        let id = match self.fields.text("id").trim() {
            "" => &entry.id,
            typed => typed,
        };
        html.push_str(&format!(
            "<div class=\"pair\"><label>{} <span class=\"soft\">{}</span><input name=\"id\" required maxlength=\"63\" value=\"{}\" spellcheck=\"false\"></label>{}</div>",
            escape(texts::PASSPORT_ID),
            escape(texts::ID_RULE),
            escape(id),
            self.input("name", texts::DISPLAY_NAME, common::OPTIONAL, &entry.name),
        ));
        for variable in &entry.variables {
            html.push_str(&self.variable(variable));
        }
        let has_secret = entry.credential.has_client()
            && entry.client_authentication != ClientAuthentication::None;
        if entry.credential.has_client() {
            html.push_str(&format!(
                "<label>{}<input name=\"client_id\" required maxlength=\"512\" value=\"{}\" spellcheck=\"false\"></label>",
                escape(common::CLIENT_ID),
                escape(self.fields.text("client_id")),
            ));
        }
        if has_secret && entry.client_authentication != ClientAuthentication::PrivateKeyJwt {
            let (hint, about) = match self.kept_secret {
                "" => (texts::SECRET_LATER, common::WRITE_ONLY),
                _ => (texts::SECRET_OTHER, texts::SECRET_KEPT),
            };
            html.push_str(&format!(
                "<label>{} <span class=\"soft\">{}</span><input type=\"password\" name=\"client_secret\" maxlength=\"4096\" autocomplete=\"off\" spellcheck=\"false\"></label>{}<p class=\"soft small\">{}</p>",
                escape(common::CLIENT_SECRET),
                escape(hint),
                expiry_field(self.fields.text(EXPIRES_AT)),
                escape(about)
            ));
        }
        if entry.credential.is_consented() {
            html.push_str(&self.input(
                "scopes",
                common::SCOPES,
                texts::SCOPES_HINT,
                &entry.scopes.join(" "),
            ));
        }
        html.push_str(&self.more());
        html
    }

    /// A text field with a hint; `placeholder` is what an empty one means.
    fn input(&self, name: &str, label: &str, hint: &str, placeholder: &str) -> String {
        format!(
            "<label>{} <span class=\"soft\">{}</span><input name=\"{name}\" maxlength=\"4096\" value=\"{}\" placeholder=\"{}\" spellcheck=\"false\"></label>",
            escape(label),
            escape(hint),
            escape(self.fields.text(name)),
            escape(placeholder),
        )
    }

    fn variable(&self, variable: &Variable) -> String {
        let name = format!("set.{}", escape(&variable.name));
        let needed = !variable.optional && variable.default.is_none();
        let hint = match (&variable.default, variable.optional) {
            (Some(default), _) => default.clone(),
            (None, true) => common::OPTIONAL.to_owned(),
            (None, false) => String::new(),
        };
        let own_domain = match variable.accept_other {
            true => self.check("own_domain", texts::OWN_DOMAIN),
            false => String::new(),
        };
        format!(
            "<label>{} <span class=\"soft\">{}</span><input name=\"{name}\"{} maxlength=\"253\" value=\"{}\" placeholder=\"{}\" spellcheck=\"false\"></label>{own_domain}",
            escape(&variable.label),
            escape(&hint),
            if needed { " required" } else { "" },
            escape(self.fields.text(&name)),
            escape(&variable.example),
        )
    }

    fn check(&self, name: &str, text: &str) -> String {
        let checked = match self.fields.text(name) {
            "yes" => " checked",
            _ => "",
        };
        format!(
            "<label class=\"box\"><input type=\"checkbox\" name=\"{name}\" value=\"yes\"{checked}><span>{}</span></label>",
            escape(text)
        )
    }

    /// What hardly anybody needs.
    fn more(&self) -> String {
        let entry = self.entry;
        let mut inputs = String::new();
        for slot in &entry.slots {
            let label = texts::SLOT_SCOPES.replace("{slot}", &slot.name);
            let name = format!("slot.{}", slot.name);
            inputs.push_str(&self.input(
                &escape(&name),
                &label,
                common::OPTIONAL,
                &slot.scopes.join(" "),
            ));
        }
        if entry.credential.has_client() {
            let chosen = self.fields.text("client_authentication");
            let options: String = CLIENT_AUTHENTICATIONS
                .iter()
                .map(|(name, _)| {
                    let selected = if *name == chosen { " selected" } else { "" };
                    format!("<option value=\"{name}\"{selected}>{name}</option>")
                })
                .collect();
            inputs.push_str(&format!(
                "<label>{}<select name=\"client_authentication\"><option value=\"\">{}</option>{options}</select></label>",
                escape(texts::CLIENT_AUTHENTICATION),
                escape(texts::AS_USUAL)
            ));
        }
        if entry.credential.is_consented() {
            inputs.push_str(&self.check("browser_delivery", texts::BROWSER_DELIVERY));
        }
        match inputs.is_empty() {
            true => inputs,
            false => format!(
                "<details><summary>{}</summary><div class=\"fields\">{inputs}</div></details>",
                escape(texts::MORE)
            ),
        }
    }

    fn agreement(&self) -> String {
        if self.differences.is_empty() {
            return String::new();
        }
        let rows: String = self
            .differences
            .iter()
            .map(|line| format!("<li>{}</li>", escape(line)))
            .collect();
        format!(
            "<div class=\"note warn\"><ul class=\"differences\">{rows}</ul>{}<label class=\"box\"><input type=\"checkbox\" name=\"change\" value=\"yes\"><span>{}</span></label></div>",
            hidden("agreement", self.agreement),
            escape(texts::CHANGE)
        )
    }

    fn registering(&self) -> String {
        let entry = self.entry;
        let mut html = String::new();
        if !entry.setup.is_empty() {
            html.push_str(&format!("<p>{}</p>", prose(&entry.setup)));
        }
        if entry.credential.is_consented() {
            html.push_str(&format!(
                "<p>{}</p><p class=\"address\"><code>{}/v1/callback/<span data-follows=\"id\">{}</span></code></p>",
                escape(texts::REGISTER_URI),
                escape(self.base_url),
                escape(match self.fields.text("id").trim() {
                    "" => &entry.id,
                    typed => typed,
                }),
            ));
        }
        match html.is_empty() {
            true => html,
            false => format!(
                "<section class=\"card\"><h2>{}</h2>{html}</section>",
                escape(texts::REGISTERING)
            ),
        }
    }
}
