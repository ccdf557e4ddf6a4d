//! PURE, but for [`lost`], which reads. By which ways a widget's callers reach connections, and which of them an import takes
//! away. What lies at the end of a lost way can be used and disconnected by nobody any more.

use std::collections::BTreeSet;

use consulate_core::definition::{OwnerMode, Widget};
use consulate_core::table;

use crate::records::{Error, Records};

/// A way to a connection: a host's callers, a passport, an owner mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The host.
    pub host: String,
    /// The passport.
    pub passport: String,
    /// Whether the organisation shares the connection.
    pub is_shared: bool,
}

/// Ways before and after a change of one widget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Those the widget had and has no more, whoever else has them.
    pub lost: BTreeSet<Way>,
    /// Those that it and every other widget have now. Read only where something is lost.
    pub left: BTreeSet<Way>,
}

impl Ways {
    /// Lost ways that nobody else has.
    pub fn gone(&self) -> impl Iterator<Item = &Way> {
        self.lost.difference(&self.left)
    }
}

/// The ways that `before` had and `after` has not.
///
/// # Errors
/// The table cannot be asked.
pub async fn lost(records: &Records, before: &Widget, after: &Widget) -> Result<Ways, Error> {
    let lost: BTreeSet<Way> = ways(before).difference(&ways(after)).cloned().collect();
    if lost.is_empty() {
        return Ok(Ways::default());
    }
    let mut left = ways(after);
    for id in records.registry().await?.widgets {
        if id != after.id
            && let Some(other) = records.read::<Widget>(table::widget_pk(&id)).await?
        {
            left.extend(ways(&other.definition));
        }
    }
    Ok(Ways { lost, left })
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
