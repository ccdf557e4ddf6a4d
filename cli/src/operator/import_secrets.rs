//! The client secrets of an import: those a bundle brings go to Secrets Manager, with the addresses they may be sent to.

use consulate_bundle::secret_shape::{client_secret, read_client_secret};
use consulate_core::definition::Passport;
use consulate_core::secret::SecretText;

use super::secret_store::SecretStore;
use super::target::Target;
use crate::bundle::Import;

/// What an import would do to client secrets.
pub(super) struct SecretPlan {
    store: SecretStore,
    writes: Vec<Write>,
    differences: Vec<String>,
    remarks: Vec<String>,
}

struct Write {
    name: String,
    new: SecretText,
    was: Option<SecretText>,
}

/// Client secrets that were written, and what was there before.
pub(super) struct Written<'p> {
    store: &'p SecretStore,
    writes: &'p [Write],
}

impl SecretPlan {
    pub async fn new(
        target: &Target,
        import: &Import,
        stored: impl Iterator<Item = Option<&Passport>>,
    ) -> anyhow::Result<Self> {
        let mut plan = Self {
            store: SecretStore::of(target),
            writes: Vec::new(),
            differences: Vec::new(),
            remarks: Vec::new(),
        };
        for (passport, stored) in import.passports.iter().zip(stored) {
            let name = format!("passports/{}", passport.id);
            match import
                .secrets
                .iter()
                .find(|secret| secret.passport == passport.id)
            {
                Some(bundled) => plan.bring(name, &bundled.client_secret, passport).await?,
                None => plan.judge_endpoints(&name, passport, stored).await?,
            }
        }
        Ok(plan)
    }

    /// What the operator has to agree to. A bundle may be older than the secret that is stored.
    pub fn differences(&self) -> Vec<String> {
        self.differences.clone()
    }

    /// What the operator should know of afterwards.
    pub fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    /// Names of the secrets that are written, without prefix.
    pub fn names(&self) -> Vec<&str> {
        self.writes
            .iter()
            .map(|write| write.name.as_str())
            .collect()
    }

    /// Writes the secrets.
    pub async fn write(&self) -> anyhow::Result<Written<'_>> {
        for write in &self.writes {
            self.store.put(&write.name, &write.new).await?;
        }
        Ok(Written {
            store: &self.store,
            writes: &self.writes,
        })
    }

    async fn bring(
        &mut self,
        name: String,
        secret: &SecretText,
        passport: &Passport,
    ) -> anyhow::Result<()> {
        let new = client_secret(secret, passport);
        let was = self.store.get(&name).await?;
        if was.as_ref().is_some_and(|was| was.expose() == new.expose()) {
            return Ok(());
        }
        let other = was.as_ref().is_some_and(|was| {
            read_client_secret(was).is_none_or(|(stored, _)| stored.expose() != secret.expose())
        });
        if other {
            let id = &passport.id;
            self.differences.push(format!(
                "client secret of passport {id}: the stored one -> the bundle's"
            ));
        }
        self.writes.push(Write { name, new, was });
        Ok(())
    }

    /// A stored secret is not sent to endpoints it was not set for.
    async fn judge_endpoints(
        &mut self,
        name: &str,
        passport: &Passport,
        stored: Option<&Passport>,
    ) -> anyhow::Result<()> {
        let moved =
            stored.is_some_and(|stored| stored.secret_endpoints() != passport.secret_endpoints());
        if moved && self.store.is_set(name).await? {
            self.remarks.push(format!(
                "The endpoints of {} changed: its client secret is not used until you set it again with \
                 `consulate secret set {name}`.",
                passport.id
            ));
        }
        Ok(())
    }
}

impl Written<'_> {
    /// Puts back what was there. A secret that was not there before stays: nothing uses it.
    pub async fn undo(&self) -> anyhow::Result<()> {
        for write in self.writes {
            if let Some(was) = &write.was {
                self.store.put(&write.name, was).await?;
            }
        }
        Ok(())
    }
}
