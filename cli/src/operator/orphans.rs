//! Connections that an import leaves out of everybody's reach: the owner mode changed, or a binding is gone. They are listed,
//! and given up with the import: a token nobody can use or disconnect any more should not live on.

use std::collections::BTreeSet;

use consulate_bundle::records::Records;
use consulate_bundle::ways::{self, Way, Ways};
use consulate_core::connections::Details;
use consulate_core::definition::{OwnerMode, Widget};
use consulate_core::owner::OwnerKey;
use consulate_core::table::ConnectionKey;

use super::connections::of_passport;
use super::target::Target;

/// The connections that nobody can reach once `before` has become `after`.
///
/// # Errors
/// The table cannot be asked.
pub(super) async fn left_by(
    target: &Target,
    records: &Records,
    before: &Widget,
    after: &Widget,
) -> anyhow::Result<Vec<ConnectionKey>> {
    let Ways { lost, left } = ways::lost(records, before, after).await?;
    let connections = target.connections();
    let passports: BTreeSet<&String> = lost.iter().map(|way| &way.passport).collect();
    let mut orphans = Vec::new();
    for passport in passports {
        let keys = of_passport(&connections, passport).await?;
        let known = connections.read_known(&keys).await?;
        for (connection, details) in known.into_iter().flatten() {
            let reached = |ways: &BTreeSet<Way>| {
                let mut ways = ways.iter().filter(|way| way.passport == *passport);
                ways.any(|way| leads(way, &details) == connection.key.owner)
            };
            if reached(&lost) && !reached(&left) {
                orphans.push(connection.key);
            }
        }
    }
    Ok(orphans)
}

/// The owner that whoever connected `details` has by `way`.
fn leads(way: &Way, details: &Details) -> OwnerKey {
    let mode = match way.is_shared {
        true => OwnerMode::Organisation,
        false => OwnerMode::User,
    };
    OwnerKey::of_record(&way.host, &details.organisation, &details.user, mode)
}
