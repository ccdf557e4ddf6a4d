//! The run: minute by minute, what was due, what was done, what it cost; and what must hold of it.

use anyhow::ensure;

use crate::peer::{Inside, Outside};
use crate::plan::Plan;
use crate::shop::{Ask, Census, Counted, Line};
use crate::worker::Took;

/// One minute.
#[derive(Clone, Debug)]
pub struct Minute {
    /// Rows in the index for it, counted beforehand.
    pub due: u64,
    /// What it took.
    pub took: Took,
    /// What was counted.
    pub counted: Counted,
    /// Token calls answered with tokens.
    pub renewed: u64,
}

impl Minute {
    /// What was counted of `operation`, on items of `kind` where one is named.
    pub fn total(&self, operation: &str, kind: Option<&str>) -> Line {
        let lines = self.counted.lines.iter();
        let lines = lines.filter(|line| {
            line.operation == operation && kind.is_none_or(|kind| line.kind == kind)
        });
        lines.fold(Line::default(), |sum, line| Line {
            requests: sum.requests + line.requests,
            units: sum.units + line.units,
            index_units: sum.index_units + line.index_units,
            ..sum
        })
    }

    /// Write units on connections for every renewal, those of indexes included.
    pub fn write_units_each(&self) -> f64 {
        let written = self.total("UpdateItem", Some("CONNECTION"));
        written.units / self.renewed.max(1) as f64
    }

    /// Write units of indexes, whatever was written.
    pub fn index_write_units(&self) -> f64 {
        let writes = ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems"];
        let units = writes.map(|operation| self.total(operation, None).index_units);
        units.iter().sum()
    }
}

/// A run that held.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was asked for.
    pub plan: Plan,
    /// Its minutes.
    pub minutes: Vec<Minute>,
    /// The table afterwards.
    pub census: Census,
}

impl Measured {
    /// Largest resident set of the custodian, KiB.
    pub fn peak_kib(&self) -> u64 {
        let peaks = self.minutes.iter().map(|minute| minute.took.peak_kib);
        peaks.max().unwrap_or_default()
    }
}

/// Measures `plan` and checks what must hold.
///
/// # Errors
/// Something did not hold, or a side failed.
pub async fn measure(
    plan: Plan,
    outside: &mut Outside,
    inside: &mut Inside,
) -> anyhow::Result<Measured> {
    let mut minutes = Vec::new();
    let mut renewed_before = 0;
    for number in plan.each_minute() {
        let due = outside.ask(Ask::Due(number)).await?;
        outside.ask::<()>(Ask::Clear).await?;
        let took = inside.minute(number).await?;
        let counted: Counted = outside.ask(Ask::Counted).await?;
        let renewed = counted.answered - renewed_before;
        renewed_before = counted.answered;
        let minute = Minute {
            due,
            took,
            counted,
            renewed,
        };
        check_minute(plan, &minute)?;
        minutes.push(minute);
    }
    let census: Census = outside.ask(Ask::Census).await?;
    let rows = census.connected + census.needs_reauthorisation + census.disconnected;
    ensure!(
        rows == u64::from(plan.connections),
        "conservation: {census:?}"
    );
    ensure!(census.connected == rows, "some were lost: {census:?}");
    ensure!(
        census.renewed == renewed_before,
        "not every answer is stored: {census:?}"
    );
    ensure!(census.leased == 0, "leases were left: {census:?}");
    Ok(Measured {
        plan,
        minutes,
        census,
    })
}

fn check_minute(plan: Plan, minute: &Minute) -> anyhow::Result<()> {
    let read = minute.total("GetItem", Some("CONNECTION")).requests;
    let scans = minute.total("Scan", None).requests;
    let refused = minute.counted.refused;
    ensure!(refused == 0, "the provider refused: {minute:?}");
    let complaints = minute.took.complaints;
    ensure!(complaints == 0, "the log complains: {minute:?}");
    let only_due = read == minute.due && scans == 0;
    ensure!(only_due, "a tick reads what is due: {minute:?}");
    let all_renewed = minute.renewed == minute.due;
    ensure!(all_renewed, "what is due is renewed: {minute:?}");
    let moved = minute.index_write_units();
    ensure!(moved == 0.0, "an index moved: {minute:?}");
    if plan.is_within_a_unit() && minute.renewed > 0 {
        let units = minute.write_units_each();
        ensure!(units == 2.0, "two write units each: {minute:?}");
    }
    Ok(())
}
