//! Steps, slots and what is due.

use super::*;
use crate::connection::tests::connection;
use crate::passport::TokenExchange;

const DAY: i64 = 86_400;

fn connected_at() -> Timestamp {
    connection(None).connected_at
}

/// [`super::due`] for a slot whose minute is now.
fn due(row: &Connection, passport: &Passport, cycle: Cycle, at: Timestamp, days: i64) -> Due {
    super::due(row, passport, Turn { cycle, at }, at, days)
}

fn step(lifetime: Option<i64>, passport: &Passport) -> u32 {
    Cycle::of(&connection(lifetime), passport, connected_at()).minutes()
}

#[test]
fn the_step_lies_just_under_the_lifetime() {
    let passport = Passport::default();
    for (lifetime, minutes) in [
        (900, 10),
        (1_800, 25),
        (3_600, 55),
        (7_200, 110),
        (28_800, 360),
        (43_200, 360),
        (DAY, 1_380),
        (7 * DAY, 8_640),
        (14 * DAY, 18_720),
        (30 * DAY, 41_760),
        (60 * DAY, 41_760),
    ] {
        assert_eq!(step(Some(lifetime), &passport), minutes, "{lifetime}");
    }
}

#[test]
fn a_token_of_any_lifetime_is_renewed_before_it_ends_whenever_it_was_last_saved() {
    let passport = Passport::default();
    for lifetime in [
        900,
        1_000,
        1_799,
        1_800,
        3_599,
        3_600,
        5_000,
        7_200,
        43_200,
        DAY,
        14 * DAY,
    ] {
        let mut row = connection(Some(lifetime));
        let cycle = Cycle::of(&row, &passport, row.saved_at);
        // Looked at every cycle; a look that finds nothing due leaves a token that is good until the run after the next.
        for saved_after in [0, 1, 59, cycle.seconds() / 2, cycle.seconds() - 1] {
            let look = row.saved_at.plus_seconds(saved_after);
            row.used_at = Some(look);
            if due(&row, &passport, cycle, look, 90) == Due::Nothing {
                let next_run =
                    look.plus_seconds(cycle.seconds() + TICK_SECONDS + WORST_RUN_SECONDS);
                assert!(
                    row.is_fresh(next_run, &passport),
                    "{lifetime} {saved_after}"
                );
            }
        }
    }
}

#[test]
fn a_short_lifetime_is_left_to_calls() {
    let mut passport = Passport::default();
    assert_eq!(step(Some(599), &passport), 41_760);
    passport.refresh_idle_seconds = Some(15 * 86_400);
    assert_eq!(step(Some(60), &passport), 8_640);
    let row = connection(Some(60));
    let cycle = Cycle::of(&row, &passport, row.saved_at);
    assert_eq!(due(&row, &passport, cycle, row.saved_at, 90), Due::Nothing);
}

#[test]
fn a_passports_own_interval_overrides_the_step() {
    let mut passport = Passport {
        refresh_interval_seconds: Some(1_800),
        ..Passport::default()
    };
    assert_eq!(step(Some(DAY), &passport), 25);
    assert_eq!(step(None, &passport), 25);
    passport.refresh_interval_seconds = Some(60);
    assert_eq!(step(Some(DAY), &passport), 10);
    passport.refresh_interval_seconds = Some(43_200 * 60);
    assert_eq!(step(Some(3_600), &passport), 55);
}

#[test]
fn an_idle_connection_is_only_kept_alive_and_twice_within_its_limit() {
    let mut passport = Passport::default();
    let mut row = connection(Some(3_600));
    let now = row.saved_at.plus_seconds(4 * DAY);
    assert_eq!(Cycle::of(&row, &passport, now).minutes(), 41_760);
    assert_eq!(
        due(&row, &passport, Cycle::Minutes(41_760), now, 90),
        Due::Nothing
    );
    passport.refresh_idle_seconds = Some(90 * 86_400);
    let cycle = Cycle::of(&row, &passport, now);
    assert_eq!(cycle.minutes(), 41_760);
    // 29 days on there are two more looks in time, 58 days on there is none.
    for (days, expected) in [(29, Due::Nothing), (58, Due::Renewal)] {
        let now = row.saved_at.plus_seconds(days * DAY);
        assert_eq!(due(&row, &passport, cycle, now, 90), expected, "{days}");
    }
    row.used_at = Some(now);
    assert_eq!(Cycle::of(&row, &passport, now).minutes(), 55);
}

#[test]
fn nobodys_connection_is_revoked_after_the_operators_limit() {
    let passport = Passport::default();
    let row = connection(None);
    let at = |days| {
        due(
            &row,
            &passport,
            Cycle::LONGEST,
            row.saved_at.plus_seconds(days * DAY + 1),
            90,
        )
    };
    assert_eq!((at(89), at(90)), (Due::Nothing, Due::IdleLimit));
}

#[test]
fn a_token_that_renews_itself_is_renewed_while_it_is_good_though_nobody_uses_it() {
    let exchange = TokenExchange {
        url: String::new(),
        grant_type: String::new(),
        token_param: String::new(),
        client_id: false,
        client_secret: false,
    };
    let passport = Passport {
        renewal: Some(exchange),
        access_lifetime_default_seconds: Some(60 * 86_400),
        ..Passport::default()
    };
    let row = connection(Some(60 * DAY));
    let now = row.saved_at.plus_seconds(29 * DAY);
    let cycle = Cycle::of(&row, &passport, now);
    assert_eq!(cycle.minutes(), 41_760);
    assert_eq!(due(&row, &passport, cycle, now, 90), Due::Renewal);
}

#[test]
fn the_end_no_renewal_moves_is_told_a_week_ahead_and_once() {
    let passport = Passport {
        refresh_absolute_seconds: Some(100 * 86_400),
        ..Passport::default()
    };
    let mut row = connection(Some(3_600));
    let cycle = Cycle::Minutes(55);
    let at = |row: &Connection, days| {
        soon(
            row,
            &passport,
            cycle,
            row.connected_at.plus_seconds(days * DAY),
        )
    };
    let end = row.connected_at.plus_seconds(100 * DAY);
    assert_eq!((at(&row, 92), at(&row, 93)), (None, Some(end)));
    row.reminded_for = Some(end);
    assert_eq!(at(&row, 94), None);
}

#[test]
fn an_end_that_renewals_move_is_told_only_when_no_further_look_comes_before_it() {
    let passport = Passport {
        refresh_idle_seconds: Some(86_400),
        ..Passport::default()
    };
    let row = connection(Some(3_600));
    let cycle = Cycle::Minutes(55);
    let end = row.saved_at.plus_seconds(DAY);
    let at = |before: i64| soon(&row, &passport, cycle, end.plus_seconds(-before));
    assert_eq!((at(86_000), at(3_600), at(3_000)), (None, None, Some(end)));
    assert_eq!(row.reauthorise_by(&passport), Some(end));
}

#[test]
fn rows_spread_over_slots_and_shards_and_stay_where_they_are() {
    let shards = Shards::default();
    let cycle = Cycle::Minutes(55);
    let mut seen = std::collections::HashSet::new();
    for number in 0..20_000 {
        let partition = shards.partition(cycle, &format!("CONNECTION#p#{number}"));
        assert_eq!(Cycle::of_partition(&partition), Some(cycle));
        seen.insert(partition);
    }
    let all: std::collections::HashSet<String> =
        (0..55).flat_map(|slot| shards.slot(cycle, slot)).collect();
    assert_eq!(all.len(), 55 * 64);
    assert!(seen.is_subset(&all));
    assert!(seen.len() > 3_400, "{}", seen.len());
    assert_eq!(
        shards.partition(cycle, "CONNECTION#p#1"),
        shards.partition(cycle, "CONNECTION#p#1")
    );
}

#[test]
fn a_growing_index_is_read_under_all_numbers_and_written_under_the_last() {
    let shards = Shards::parse("2, 4").unwrap();
    assert_eq!(shards.slot(Cycle::Revoke, 0).len(), 6);
    assert!(
        shards
            .partition(Cycle::Revoke, "x")
            .starts_with("revoke#0#4.")
    );
    for wrong in ["", "0", "64,", "2000", "a"] {
        assert_eq!(Shards::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_minute_says_whose_turn_it_is() {
    assert_eq!(Cycle::Minutes(55).slot_of(0), 0);
    assert_eq!(Cycle::Minutes(55).slot_of(109), 54);
    assert_eq!(Cycle::Revoke.slot_of(123_456), 0);
}

#[test]
fn what_was_saved_after_its_slot_is_not_due_though_the_same_turn_comes_twice_or_late() {
    let passport = Passport::default();
    let mut row = connection(Some(3_600));
    let cycle = Cycle::Minutes(55);
    let at = row.saved_at.plus_seconds(3_000);
    let turn = Turn { cycle, at };
    let due = |row: &Connection, late| super::due(row, &passport, turn, at.plus_seconds(late), 90);
    assert_eq!((due(&row, 0), due(&row, 600)), (Due::Renewal, Due::Renewal));
    row.saved_at = at.plus_seconds(5);
    row.expires_at = Some(row.saved_at.plus_seconds(3_600));
    assert_eq!((due(&row, 6), due(&row, 600)), (Due::Nothing, Due::Nothing));
    // It outlives the next slot and the run behind it.
    assert!(row.is_fresh(
        at.plus_seconds(cycle.seconds() + TICK_SECONDS + WORST_RUN_SECONDS),
        &passport
    ));
}
