//! EDGE. Binds an authentication of a widget to a passport: the one change of a definition that needs no bundle.

use aws_sdk_dynamodb::Client;
use serde_json::Value;

use crate::definition::{Passport, Widget};
use crate::passport::DeliveryRefused;
use crate::table::{self, DOC, Error, Item, PK, get_s, s};

/// What became of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is bound.
    Done,
    /// There is no such widget, authentication or passport.
    Unknown,
    /// The bundle was written for another provider.
    OtherProvider,
    /// It has the bundle's own passport, or asks for another bundle's: neither is anybody's to choose.
    Bundled,
    /// The widget wants access tokens in the browser, which the passport never allows.
    NotForBrowsers,
    /// The widget was changed meanwhile. Nothing was written.
    Changed,
}

/// The writer of bindings.
#[derive(Clone, Debug)]
pub struct Bindings {
    client: Client,
    table: String,
}

impl Bindings {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// Binds `auth_key` of `widget` to `passport`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(&self, widget: &str, auth_key: &str, passport: &str) -> Result<Bound, Error> {
        let (pk, passport_pk) = (table::widget_pk(widget), table::passport_pk(passport));
        let (Some(item), Some(of_passport)) =
            (self.read(&pk).await?, self.read(&passport_pk).await?)
        else {
            return Ok(Bound::Unknown);
        };
        let was = get_s(&item, DOC)?;
        let definition: Widget = parsed(&was)?;
        let chosen: Passport = parsed(&get_s(&of_passport, DOC)?)?;
        let judged = judge(&definition, auth_key, &chosen);
        if judged != Bound::Done {
            return Ok(judged);
        }
        // The document as it is, so that what a newer version stored in it stays.
        let mut document: Value = parsed(&was)?;
        let all = document
            .get_mut("authentications")
            .and_then(Value::as_array_mut);
        let mut all = all.into_iter().flatten();
        let one = all.find(|one| one.get("auth_key").and_then(Value::as_str) == Some(auth_key));
        let one = one.and_then(Value::as_object_mut).ok_or(Error::Corrupt)?;
        one.insert("passport".to_owned(), passport.into());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .update_expression("SET #doc = :new")
            .condition_expression("#doc = :was")
            .expression_attribute_names("#doc", DOC)
            .expression_attribute_values(":new", s(document.to_string()))
            .expression_attribute_values(":was", s(was));
        match update.send().await {
            Ok(_) => Ok(Bound::Done),
            Err(error) => match error.as_service_error() {
                Some(error) if error.is_conditional_check_failed_exception() => Ok(Bound::Changed),
                _ => Err(Error::Unavailable),
            },
        }
    }

    async fn read(&self, pk: &str) -> Result<Option<Item>, Error> {
        let read = self.client.get_item().table_name(&self.table);
        let read = read.key(PK, s(pk)).consistent_read(true).send().await?;
        Ok(read.item)
    }
}

fn parsed<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, Error> {
    serde_json::from_str(document).map_err(|_| Error::Corrupt)
}

/// PURE. The rules of an import: a bundle written for one provider does not get the accounts of another, and a bundled
/// passport (`{widget}.{name}`) is its own widget's alone.
fn judge(widget: &Widget, auth_key: &str, passport: &Passport) -> Bound {
    let Some(authentication) = widget.authentication(auth_key) else {
        return Bound::Unknown;
    };
    let has_own = authentication
        .passport
        .as_ref()
        .is_some_and(|id| id.contains('.'));
    if has_own || passport.id.contains('.') {
        return Bound::Bundled;
    }
    let provider = &authentication.provider;
    if !provider.is_empty() && *provider != passport.provider {
        return Bound::OtherProvider;
    }
    match passport.may_deliver(authentication) {
        Err(DeliveryRefused::NotConsented | DeliveryRefused::RenewsItself) => Bound::NotForBrowsers,
        _ => Bound::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(provider: &str, bound: Option<&str>, passport: (&str, &str)) -> Bound {
        let widget: Widget = parsed(
            &json!({"id": "w", "authentications": [{"auth_key": "k", "provider": provider, "passport": bound}]}).to_string(),
        )
        .unwrap();
        let (id, of) = passport;
        let passport = json!({"id": id, "name": "P", "provider": of, "api_hosts": []});
        judge(&widget, "k", &parsed(&passport.to_string()).unwrap())
    }

    #[test]
    fn only_a_passport_of_the_right_provider_that_is_nobodys_own_is_bound() {
        assert_eq!(judged("google", None, ("p", "google")), Bound::Done);
        assert_eq!(judged("", Some("old"), ("p", "google")), Bound::Done);
        assert_eq!(judged("google", None, ("p", "zoom")), Bound::OtherProvider);
        assert_eq!(
            judged("custom:x", Some("w.x"), ("p", "custom:x")),
            Bound::Bundled
        );
        assert_eq!(
            judged("custom:x", None, ("other.x", "custom:x")),
            Bound::Bundled
        );
    }
}
