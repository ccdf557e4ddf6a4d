//! PURE. The figures as a Markdown table.

use std::fmt::Write as _;

use crate::measure::{Measured, Minute};

/// Head and one line for every minute of `measured`, then what was left in the table.
pub fn table(measured: &Measured) -> String {
    let plan = measured.plan;
    let mut text = format!(
        "\n{} connections, tokens of {} and {} bytes, rows of {} bytes at most\n\n",
        plan.connections, plan.access_bytes, plan.refresh_bytes, measured.census.largest_bytes,
    );
    let head = "| minute | due | rows read | RRU each | queries | their RRU | renewed | renewed/s | CPU ms each \
        | WRU each | index WRU | TICK writes | LIMIT writes | invocations | peak RSS MiB |";
    let columns = head.matches('|').count() - 1;
    let _ = writeln!(text, "{head}\n|{}", "---|".repeat(columns));
    for (number, minute) in measured.minutes.iter().enumerate() {
        let _ = writeln!(text, "{}", line(number + 1, minute));
    }
    let _ = writeln!(
        text,
        "\nin {} = connected {} + needs re-authorisation {} + disconnected {}; {} renewals stored; {} other items",
        plan.connections,
        measured.census.connected,
        measured.census.needs_reauthorisation,
        measured.census.disconnected,
        measured.census.renewed,
        measured.census.others,
    );
    text
}

fn line(number: usize, minute: &Minute) -> String {
    let read = minute.total("GetItem", Some("CONNECTION"));
    let queries = minute.total("Query", None);
    let each = |sum: f64| sum / minute.renewed.max(1) as f64;
    let seconds = minute.took.wall_millis.max(1) as f64 / 1_000.0;
    format!(
        "| {number} | {} | {} | {:.2} | {} | {:.1} | {} | {:.0} | {:.3} | {:.3} | {} | {} | {} | {} | {:.1} |",
        minute.due,
        read.requests,
        each(read.units),
        queries.requests,
        queries.units,
        minute.renewed,
        minute.renewed as f64 / seconds,
        each(minute.took.cpu_millis as f64),
        minute.write_units_each(),
        minute.index_write_units(),
        minute.total("PutItem", Some("TICK")).requests,
        minute.total("UpdateItem", Some("LIMIT")).requests,
        minute.took.invocations,
        minute.took.peak_kib as f64 / 1_024.0,
    )
}
