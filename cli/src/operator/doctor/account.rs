//! EDGE. Who acts, and what stands in the account: the table's shape, the custodian, the schedule, clocks.

use aws_sdk_dynamodb::types::{
    KeyType, ProjectionType, ScalarAttributeType, TableDescription, TimeToLiveStatus,
};
use aws_sdk_lambda::types::InvocationType;
use consulate_core::connections::{DUE_INDEX, UNHEALTHY_INDEX};
use consulate_core::schedule::Schedule;
use consulate_core::table::{PK, TTL};

use super::super::refusal::told;
use super::super::target::Target;
use super::notes::Notes;

/// The custodian claims nothing beyond it; see the functions' own limit.
const SKEW_LIMIT_MILLIS: i64 = 2_500;
/// The schedule comes every minute; a deployment or a throttled invoke may cost it a few.
const STILL_AFTER_MINUTES: i64 = 5;

/// Whether AWS knows who acts.
pub(super) async fn identity(target: &Target, notes: &mut Notes) {
    let Some(sts) = &target.sts else {
        return;
    };
    if let Err(error) = sts.get_caller_identity().send().await {
        notes.unreadable("your AWS identity", &told("STS", &error));
    }
}

/// The table's shape; false where there is nothing to look at any further.
pub(super) async fn table(target: &Target, notes: &mut Notes) -> bool {
    let about = format!("table {}", target.table);
    let described = target
        .dynamodb
        .describe_table()
        .table_name(&target.table)
        .send()
        .await;
    let described = match described {
        Ok(described) => described,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            notes.error(
                "table_missing",
                &about,
                "There is no table of this name in this region.",
                "Look at CONSULATE_TABLE and AWS_REGION: the stack's output names the table. Deploy the template where there is none.",
            );
            return false;
        }
        Err(error) => {
            notes.unreadable(&about, &told("the table", &error));
            return false;
        }
    };
    clock(target.skew.millis(), notes);
    if let Some(table) = described.table() {
        shape(table, &about, notes);
        if target.loopback.is_none() && !table.deletion_protection_enabled().unwrap_or(false) {
            notes.warning(
                "deletion_protection_off",
                &about,
                "The table can be deleted by one call, and every connection with it.",
                "Turn deletion protection on, as the template does.",
            );
        }
    }
    expiry(target, &about, notes).await;
    if target.loopback.is_none() {
        recovery(target, &about, notes).await;
    }
    true
}

/// PURE. Key and indexes.
fn shape(table: &TableDescription, about: &str, notes: &mut Notes) {
    let is_text = |name: &str| {
        table.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == name
                && *attribute.attribute_type() == ScalarAttributeType::S
        })
    };
    let keys = table.key_schema();
    let is_key = keys.len() == 1
        && keys
            .iter()
            .all(|key| key.attribute_name() == PK && *key.key_type() == KeyType::Hash);
    if !is_key || !is_text(PK) {
        notes.error(
            "table_shape",
            about,
            "Its key is not the text `pk` alone.",
            "This is another application's table, or was made by hand: name the one that the template made.",
        );
    }
    for (name, hash) in [(DUE_INDEX, "d"), (UNHEALTHY_INDEX, "u")] {
        let indexes = table.global_secondary_indexes().iter();
        let Some(index) = indexes
            .into_iter()
            .find(|index| index.index_name() == Some(name))
        else {
            let message = format!(
                "It has no index `{name}`: {}.",
                match name {
                    DUE_INDEX => "the schedule finds nothing to renew or revoke",
                    _ => "`consulate connections list` finds nobody",
                }
            );
            notes.error(
                "index_missing",
                about,
                &message,
                "Deploy the template again, which makes it.",
            );
            continue;
        };
        let is_right = index
            .key_schema()
            .iter()
            .any(|key| key.attribute_name() == hash && *key.key_type() == KeyType::Hash)
            && index
                .key_schema()
                .iter()
                .any(|key| key.attribute_name() == PK && *key.key_type() == KeyType::Range);
        let keys_only = index
            .projection()
            .and_then(|projection| projection.projection_type())
            == Some(&ProjectionType::KeysOnly);
        if !is_right || !keys_only {
            let message =
                format!("Its index `{name}` is not of `{hash}` and `{PK}` with keys only.");
            notes.error(
                "index_shape",
                about,
                &message,
                "Delete the index and deploy the template again, which makes it.",
            );
        }
    }
}

async fn expiry(target: &Target, about: &str, notes: &mut Notes) {
    let asked = target
        .dynamodb
        .describe_time_to_live()
        .table_name(&target.table)
        .send()
        .await;
    let told_of = match asked {
        Ok(told_of) => told_of,
        Err(error) => return notes.unreadable(about, &told("the table", &error)),
    };
    let ttl = told_of.time_to_live_description();
    let is_on = ttl.is_some_and(|ttl| {
        ttl.attribute_name() == Some(TTL)
            && matches!(
                ttl.time_to_live_status(),
                Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
            )
    });
    if !is_on {
        notes.warning(
            "ttl_off",
            about,
            "Nothing expires: used tickets, states and JWTs pile up.",
            "Turn time to live on for the attribute `ttl`, as the template does.",
        );
    }
}

async fn recovery(target: &Target, about: &str, notes: &mut Notes) {
    let asked = target
        .dynamodb
        .describe_continuous_backups()
        .table_name(&target.table)
        .send()
        .await;
    let told_of = match asked {
        Ok(told_of) => told_of,
        Err(error) => return notes.unreadable(about, &told("the table", &error)),
    };
    let status = told_of
        .continuous_backups_description()
        .and_then(|backups| backups.point_in_time_recovery_description())
        .and_then(|recovery| recovery.point_in_time_recovery_status());
    if status.map(|status| status.as_str()) != Some("ENABLED") {
        notes.warning(
            "recovery_off",
            about,
            "The table cannot be restored to an earlier minute.",
            "Turn point-in-time recovery on, as the template does.",
        );
    }
}

/// PURE. This machine's clock against the service's.
fn clock(skew_millis: i64, notes: &mut Notes) {
    if skew_millis.abs() > SKEW_LIMIT_MILLIS {
        let message = format!(
            "This machine's clock is {:.1} s off the table's. A custodian that is so far off claims nothing.",
            skew_millis as f64 / 1_000.0
        );
        notes.error(
            "clock_skew",
            "clock",
            &message,
            "Set the clock (NTP). On Lambda it is AWS's to keep: the alarm on clock_skewed tells.",
        );
    }
}

/// Whether the schedule comes.
pub(super) async fn schedule(target: &Target, notes: &mut Notes) {
    let schedule = Schedule::new(target.dynamodb.clone(), &target.table);
    let minute = target.clock.now().seconds().div_euclid(60);
    let cure = "Look at the rule of the schedule (enabled, targets the custodian), its permission to invoke, and the custodian's log (`tick`).";
    match schedule.last_minute().await {
        Ok(Some(done)) if minute - done > STILL_AFTER_MINUTES => {
            let message = format!(
                "The last tick was {} minutes ago: nothing is renewed ahead of time, and nothing revoked again.",
                minute - done
            );
            notes.error("schedule_still", "schedule", &message, cure);
        }
        Ok(Some(_)) => {}
        Ok(None) => notes.warning("schedule_never", "schedule", "It has not come yet.", cure),
        Err(error) => notes.unreadable("schedule", &anyhow::Error::new(error)),
    }
}

/// Whether the custodian is there and may be invoked.
pub(super) async fn custodian(target: &Target, notes: &mut Notes) {
    let Some(name) = &target.custodian else {
        notes.warning(
            "custodian_unset",
            "environment",
            "CONSULATE_CUSTODIAN is not set: connections cannot be renewed by hand, and what you do is not in the audit log.",
            "Set it to the custodian's name, as the stack's output has it.",
        );
        return;
    };
    let asked = target
        .lambda
        .invoke()
        .function_name(name)
        .invocation_type(InvocationType::DryRun)
        .send()
        .await;
    match asked {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            notes.error(
                "custodian_missing",
                &format!("function {name}"),
                "There is no function of this name in this region.",
                "Look at CONSULATE_CUSTODIAN and AWS_REGION, or deploy the template.",
            );
        }
        Err(error) => notes.unreadable(&format!("function {name}"), &told("Lambda", &error)),
    }
}

/// Whether redirect URIs can be told.
pub(super) fn address(target: &Target, notes: &mut Notes) {
    if target.base_url.is_none() {
        notes.warning(
            "address_unset",
            "environment",
            "CONSULATE_BASE_URL is not set: redirect URIs cannot be told in full.",
            "Set it to the deployment's public address.",
        );
    }
}
