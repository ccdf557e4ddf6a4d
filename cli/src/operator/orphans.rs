//! Connections that an import leaves out of everybody's reach: the owner mode changed, or a binding is gone. They are listed,
//! and given up with the import: a token nobody can use or disconnect any more should not live on.

use std::collections::BTreeSet;

use consulate_core::connections::Details;
use consulate_core::definition::{OwnerMode, Widget};
use consulate_core::owner::OwnerKey;
use consulate_core::table::{self, ConnectionKey};

use super::connections::of_passport;
use super::records::Records;
use super::target::Target;

/// A way to a connection: a host's callers, a passport, an owner mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    host: String,
    passport: String,
    is_shared: bool,
}

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
    let lost: BTreeSet<Way> = ways(before).difference(&ways(after)).cloned().collect();
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let mut left = ways(after);
    for id in records.registry().await?.widgets {
        if id != after.id
            && let Some(other) = records.read::<Widget>(table::widget_pk(&id)).await?
        {
            left.extend(ways(&other.definition));
        }
    }
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

/// What a widget's authentications reach.
fn ways(widget: &Widget) -> BTreeSet<Way> {
    let Some(host) = &widget.host else {
        return BTreeSet::new();
    };
    let bound = widget.authentications.iter().filter_map(|authentication| {
        Some(Way {
            host: host.clone(),
            passport: authentication.passport.clone()?,
            is_shared: authentication.owner == OwnerMode::Organisation,
        })
    });
    bound.collect()
}

/// The owner that whoever connected `details` has by `way`.
fn leads(way: &Way, details: &Details) -> OwnerKey {
    let mode = match way.is_shared {
        true => OwnerMode::Organisation,
        false => OwnerMode::User,
    };
    OwnerKey::of_record(&way.host, &details.organisation, &details.user, mode)
}
