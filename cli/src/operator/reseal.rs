//! `consulate keys reseal`: moves what is sealed with former keys over to the primary ones, while everything serves.
//!
//! Each value is opened and sealed again for its very place, and written on the condition that it is still the one that was read:
//! whoever writes the row at the same time wins, and has sealed with the primary key anyway. Nothing else of a row changes. Stopped
//! halfway, it is simply run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use consulate_core::passport::Passport;
use consulate_core::seal::Keyring;
use consulate_core::sealed_rows::{SealedRow, SealedRows};
use consulate_core::table;
use consulate_core::vault::{self, Field, Home};
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use serde_json::json;

use super::keys::{SEALING, opened, read};
use super::progress;
use super::report::Report;
use super::secret_store::SecretStore;
use super::target::Target;

/// Segments of the table that are read at a time.
const SEGMENTS: i32 = 8;
/// Rows of a segment that are written at a time.
const AT_ONCE: usize = 16;
/// A row that somebody else writes again and again is left for the next run.
const TRIES: usize = 4;
/// Rows that people are shown.
const SHOWN: usize = 20;

/// Values that are sealed with some key.
#[derive(Debug, Default)]
pub(super) struct Use {
    /// How many.
    pub count: u64,
    /// Some of their rows.
    pub some: Vec<String>,
}

impl Use {
    fn add(&mut self, pk: &str) {
        self.count += 1;
        if self.some.len() < SHOWN {
            self.some.push(pk.to_owned());
        }
    }
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    resealed: u64,
    /// In grants that wait for minutes, and are counted only.
    waiting: u64,
    /// Values that do not open in their place, or whose passport is gone: nothing can use them either.
    dead: Use,
    /// Rows somebody else kept writing.
    busy: Use,
}

/// Keyrings, with the ids of their primaries, and the passports, which know where their tokens come from.
struct Means {
    keyrings: BTreeMap<&'static str, (String, Keyring)>,
    passports: BTreeMap<String, Passport>,
}

/// Moves every value over.
///
/// # Errors
/// The table or Secrets Manager cannot be asked.
pub(super) async fn reseal(target: &Target) -> anyhow::Result<Report> {
    let means = Means::of(target).await?;
    let table = SealedRows::new(target.dynamodb.clone(), &target.table);
    let tally = Mutex::new(Tally::default());
    let count = progress::count("Read rows:");
    let segments = (0..SEGMENTS).map(|segment| segment_of(&table, &means, &tally, &count, segment));
    let mut segments = futures_util::stream::iter(segments).buffer_unordered(SEGMENTS as usize);
    while segments.try_next().await?.is_some() {}
    count.finish_and_clear();
    drop(segments);
    let tally = tally.into_inner().unwrap_or_default();
    Ok(told(&tally))
}

/// What is still sealed with the key `id`, in any keyring.
///
/// # Errors
/// The table cannot be asked.
pub(super) async fn uses(target: &Target, id: &str) -> anyhow::Result<Use> {
    let table = SealedRows::new(target.dynamodb.clone(), &target.table);
    let count = progress::count("Read rows:");
    let looks = (0..SEGMENTS).map(|segment| {
        let (table, count) = (&table, &count);
        async move {
            let mut used = Use::default();
            let mut after = None;
            loop {
                let page = table.page(segment, SEGMENTS, after.as_deref()).await?;
                count.inc(page.read);
                for row in &page.rows {
                    for value in &row.values {
                        if value.key_id.as_deref() == Some(id) {
                            used.add(&row.pk);
                        }
                    }
                }
                after = page.next;
                if after.is_none() {
                    return anyhow::Ok(used);
                }
            }
        }
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(SEGMENTS as usize);
    let mut all = Use::default();
    while let Some(used) = looks.try_next().await? {
        all.count += used.count;
        all.some.extend(used.some);
    }
    all.some.truncate(SHOWN);
    count.finish_and_clear();
    Ok(all)
}

async fn segment_of(
    table: &SealedRows,
    means: &Means,
    tally: &Mutex<Tally>,
    count: &ProgressBar,
    segment: i32,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = table.page(segment, SEGMENTS, after.as_deref()).await?;
        let rows = page
            .rows
            .into_iter()
            .map(|row| one(table, means, tally, row));
        let mut rows = futures_util::stream::iter(rows).buffer_unordered(AT_ONCE);
        while rows.try_next().await?.is_some() {}
        count.inc(page.read);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn one(
    table: &SealedRows,
    means: &Means,
    tally: &Mutex<Tally>,
    row: SealedRow,
) -> anyhow::Result<()> {
    let pk = row.pk.clone();
    let add = |change: &dyn Fn(&mut Tally)| {
        if let Ok(mut tally) = tally.lock() {
            change(&mut tally);
        }
    };
    add(&|tally| tally.rows += 1);
    let mut row = Some(row);
    for _ in 0..TRIES {
        let Some(seen) = row else {
            return Ok(());
        };
        let former = means.former(&seen);
        if former.is_empty() {
            return Ok(());
        }
        if seen.place.is_none() {
            add(&|tally| tally.waiting += former.len() as u64);
            return Ok(());
        }
        let mut new = Vec::new();
        for index in &former {
            match means.sealed_again(&seen, *index)? {
                Some(bytes) => new.push((*index, bytes)),
                None => add(&|tally| tally.dead.add(&pk)),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if table.replace(&seen, &new).await? {
            add(&|tally| tally.resealed += new.len() as u64);
            return Ok(());
        }
        row = table.read(&pk).await?;
    }
    add(&|tally| tally.busy.add(&pk));
    Ok(())
}

impl Means {
    async fn of(target: &Target) -> anyhow::Result<Self> {
        let store = SecretStore::of(target);
        let mut keyrings = BTreeMap::new();
        for name in SEALING {
            let document = read(&store, name).await?;
            keyrings.insert(name, (document.primary.clone(), opened(&document)?));
        }
        let records = target.records();
        let mut passports = BTreeMap::new();
        for id in records.registry().await?.passports {
            let passport = records.read::<Passport>(table::passport_pk(&id)).await?;
            if let Some(passport) = passport {
                passports.insert(id, passport.definition);
            }
        }
        Ok(Self {
            keyrings,
            passports,
        })
    }

    /// Indexes of the values that are not sealed with the primary key.
    fn former(&self, row: &SealedRow) -> Vec<usize> {
        let is_former = |field: Field, id: Option<&str>| {
            let keyring = self.keyrings.get(field.keyring());
            keyring.is_some_and(|(primary, _)| Some(primary.as_str()) != id)
        };
        let values = row.values.iter().enumerate();
        values
            .filter(|(_, value)| is_former(value.field, value.key_id.as_deref()))
            .map(|(index, _)| index)
            .collect()
    }

    /// The value under the primary key; `None` where it does not open.
    fn sealed_again(&self, row: &SealedRow, index: usize) -> anyhow::Result<Option<Vec<u8>>> {
        let (Some(place), Some(value)) = (&row.place, row.values.get(index)) else {
            return Ok(None);
        };
        let passport = match &place.passport {
            // A setting comes from no endpoint.
            None => &Passport::default(),
            Some(id) => match self.passports.get(id) {
                Some(passport) => passport,
                None => return Ok(None),
            },
        };
        let home = Home::at(place.item_key.clone(), &place.grant_id, passport);
        let Some((_, keyring)) = self.keyrings.get(value.field.keyring()) else {
            return Ok(None);
        };
        match vault::open_with(keyring, &home, value.field, &value.bytes) {
            Ok(plain) => Ok(Some(keyring.seal(&plain, home.place(value.field))?)),
            Err(_) => Ok(None),
        }
    }
}

fn told(tally: &Tally) -> Report {
    let mut text = format!(
        "{} value(s) moved to the primary keys, in {} row(s) looked at.",
        tally.resealed, tally.rows
    );
    if tally.waiting > 0 {
        text.push_str(&format!(
            "\n{} value(s) wait in grants that are completed or given back within minutes.",
            tally.waiting
        ));
    }
    for (used, what) in [
        (
            &tally.dead,
            "value(s) do not open in their place, so nothing can use them. Revoke these connections (consulate connections revoke):",
        ),
        (
            &tally.busy,
            "row(s) were written by others all the time. Run it again:",
        ),
    ] {
        if used.count > 0 {
            text.push_str(&format!("\n{} {what}", used.count));
            for pk in used.some.iter().collect::<BTreeSet<_>>() {
                text.push_str(&format!("\n  {pk}"));
            }
        }
    }
    Report::done(
        text,
        json!({
            "rows": tally.rows, "resealed": tally.resealed, "waiting": tally.waiting,
            "dead": tally.dead.count, "dead_rows": tally.dead.some,
            "busy": tally.busy.count, "busy_rows": tally.busy.some,
        }),
    )
}
