//! PURE. What the pages that define something say: importing a bundle, making a passport. One place, to be translated with `texts`.

pub(crate) const IMPORT: &str = "Import a widget";
pub(crate) const IMPORT_OF: &str = "Import {name}";
pub(crate) const IMPORT_ABOUT: &str =
    "Upload the ZIP of a widget's bundle. What is found in it is shown before anything is stored.";
pub(crate) const CHOOSE_ARCHIVE: &str = "Choose a bundle";
pub(crate) const OR_DROP: &str =
    "or drop its ZIP here, with its consulate.json where the ZIP holds none";
pub(crate) const LIMITS: &str =
    "At most 4 MiB. For a larger one, or a folder, use `consulate import`.";
pub(crate) const LOOK_AT_IT: &str = "Check the bundle";
pub(crate) const NOTHING_UPLOADED: &str = "Choose a ZIP first. Nothing was uploaded.";
pub(crate) const THE_BUNDLE: &str = "the bundle";
pub(crate) const NOTHING_YET: &str = "Nothing is stored until you press Import.";
pub(crate) const FINDINGS: &str = "What was found";
pub(crate) const NO_FINDINGS: &str = "Nothing to remark.";
pub(crate) const CLEAN: &str = "Clean";
pub(crate) const ERROR: &str = "Error";
pub(crate) const ERRORS: &str = "to be corrected";
pub(crate) const WARNING: &str = "Warning";
pub(crate) const WARNINGS: &str = "to know of";
pub(crate) const NOT_IMPORTABLE: &str =
    "This bundle cannot be imported as it is. Correct what is named above and upload it again.";
pub(crate) const ANOTHER_ARCHIVE: &str = "Upload another";
pub(crate) const NAME_IT: &str = "Name the widget";
pub(crate) const WIDGET_ID: &str = "Widget id";
pub(crate) const ID_RULE: &str = "lower-case letters, digits, hyphens";
pub(crate) const CHECK_AGAIN: &str = "Check again";
pub(crate) const IMPORT_IT: &str = "Import";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const JOIN_HOST: &str = "Let this widget share the callers of the host that is there already. Widgets under one host reach the same people's accounts where they use the same passport.";
pub(crate) const HOST_TAKEN: &str = "The host “{host}” is there already, and its callers are other widgets' too. Agree to share them below, or give this widget's host another id in `consulate.json`.";
pub(crate) const HOST_DIFFERS: &str = "The host “{host}” is stored with another definition. A widget that joins a host declares it as it is stored: correct `consulate.json`.";
pub(crate) const BOUND_TO_NOTHING: &str = "“{account}” names the passport “{passport}”, which does not exist. Make it first, or choose another below.";
pub(crate) const BOUND_TO_OTHER: &str = "“{account}” cannot use the passport “{passport}”: it is of another provider. Choose another below.";
pub(crate) const NOT_FOR_BROWSERS: &str = "“{account}” hands access tokens to browsers, which the passport “{passport}” never allows. Choose another, or declare `\"delivery\": \"server\"`.";
pub(crate) const CHANGES: &str = "What changes";
pub(crate) const CHANGES_ABOUT: &str =
    "This import changes where credentials may go, or who may ask for them:";
pub(crate) const AGREE: &str = "I have read these changes and agree to them.";
pub(crate) const TO_AGREE_TO: &str = "Needs your consent";
pub(crate) const NEW: &str = "New widget";
pub(crate) const NO_CHANGE: &str = "Nothing to agree to";
pub(crate) const FIRST_IMPORT: &str =
    "The widget is not stored yet. Everything on this page is what it will be.";
pub(crate) const NOTHING_WIDENS: &str =
    "The stored widget is replaced. Credentials go nowhere new, and nobody else may ask for them.";
pub(crate) const NOT_AGREED: &str =
    "Nothing was imported: what changes has to be agreed to, as it is shown now.";
pub(crate) const CHANGED_MEANWHILE: &str =
    "Nothing was imported: something this builds on was changed meanwhile. Look again.";
pub(crate) const SECRET_REPLACED: &str =
    "client secret of passport {passport}: the stored one -> the bundle's";
pub(crate) const LEFT_BEHIND_SHARED: &str = "Organisations' connections of the passport {passport} under the host {host} are left behind: nobody can reach them. They are revoked after 90 days without use, or at once with `consulate connections revoke`.";
pub(crate) const LEFT_BEHIND_OWN: &str = "Users' connections of the passport {passport} under the host {host} are left behind: nobody can reach them. They are revoked after 90 days without use, or at once with `consulate connections revoke`.";
pub(crate) const ACCOUNTS: &str = "Accounts";
pub(crate) const ACCOUNTS_ABOUT: &str =
    "Which passport each account is connected with. It can be chosen later, too.";
pub(crate) const LATER: &str = "Decide later";
pub(crate) const AS_BEFORE: &str = "As before";
pub(crate) const ANY_PROVIDER: &str = "any provider";
pub(crate) const ADMINS: &str = "Administrators";
pub(crate) const ITS_OWN_PASSPORT: &str = "A passport that comes with the bundle";
pub(crate) const API_KEY_TO: &str = "API key goes to";
pub(crate) const NOTES: &str = "Notes";

pub(crate) const NEW_PASSPORT: &str = "New passport";
pub(crate) const NEW_PASSPORT_OF: &str = "New passport: {provider}";
pub(crate) const NEW_PASSPORT_ABOUT: &str =
    "A passport is a provider with your own client there. Register an app at the provider first.";
pub(crate) const CHOOSE_PROVIDER: &str = "Choose a provider";
pub(crate) const WHICH_PROVIDER: &str = "Which provider?";
pub(crate) const NEXT: &str = "Continue";
pub(crate) const OTHER_PROVIDER: &str = "Another provider";
pub(crate) const UNKNOWN_PROVIDER: &str = "There is no such provider in the catalogue.";
pub(crate) const RETIRED: &str = "{provider} is retired: {because}";
pub(crate) const REGISTERING: &str = "Registering the app";
pub(crate) const REGISTER_URI: &str =
    "Give the provider this redirect URI, with the id you choose:";
pub(crate) const PASSPORT_ID: &str = "Passport id";
pub(crate) const DISPLAY_NAME: &str = "Name";
pub(crate) const SCOPES_HINT: &str =
    "separated by spaces; empty for what the provider's entry asks for";
pub(crate) const SLOT_SCOPES: &str = "Scopes of the {slot} token";
pub(crate) const CLIENT_AUTHENTICATION: &str = "How the client proves itself";
pub(crate) const AS_USUAL: &str = "As the provider wants it";
pub(crate) const BROWSER_DELIVERY: &str = "Widgets that ask for it may be handed short-lived access tokens. Leave this off unless a widget needs it.";
pub(crate) const OWN_DOMAIN: &str =
    "Credentials may go to a server of our own domain, not one of the provider's.";
pub(crate) const MORE: &str = "More settings";
pub(crate) const MAKE: &str = "Make the passport";
pub(crate) const CHANGE: &str = "There is a passport of this id already. Change it as shown.";
pub(crate) const ID_UNUSABLE: &str = "“{id}” cannot be an id: lower-case letters, digits and hyphens, first a letter or digit, at most 63 characters.";
pub(crate) const CLIENT_ID_NEEDED: &str =
    "The client id is needed: the provider shows it where the app is registered.";
pub(crate) const VARIABLE_NEEDED: &str = "{label} is needed, such as `{example}`.";
pub(crate) const VARIABLE_UNUSABLE: &str = "{label} is not what it should be, such as `{example}`.";
pub(crate) const VARIABLE_OTHER: &str = "{label} is not one of the provider's own, such as `{example}`. If credentials may go there, agree to that under the field.";
pub(crate) const ALREADY_THERE: &str = "There is a passport “{id}” already, and it differs. Nothing was changed: agree below, or choose another id.";
pub(crate) const MADE_FOR: &str = "It will be used for “{account}” of the widget “{widget}”.";
pub(crate) const SECRET_LATER: &str = "can be set later, too";
pub(crate) const SECRET_OTHER: &str = "leave empty to keep the one you typed";
pub(crate) const SECRET_KEPT: &str = "The client secret you typed is going to be stored with the passport. Until then it stands sealed in this page, where nobody can read it.";
pub(crate) const TYPED_SECRET_REPLACES: &str = "client secret: the stored one -> the one you typed";
pub(crate) const SECRET_ALREADY_THERE: &str = "A client secret is stored for “{id}” already. Nothing was changed: agree below, or choose another id.";
