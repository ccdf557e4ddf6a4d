//! How attempts are counted, and how far apart they are.

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn one_unconfirmed_token_keeps_a_revocation_pending() {
    use Revocation::{AlreadyGone, Done, Failed, UnsupportedKind};
    assert_eq!(result_of(&[Done, Failed]), RevocationResult::Pending);
    assert_eq!(
        result_of(&[UnsupportedKind, Done]),
        RevocationResult::Revoked
    );
    assert_eq!(
        result_of(&[AlreadyGone, AlreadyGone]),
        RevocationResult::AlreadyGone
    );
    assert_eq!(
        result_of(&[UnsupportedKind]),
        RevocationResult::ProviderHasNone
    );
    assert_eq!(result_of(&[]), RevocationResult::AlreadyGone);
}

#[test]
fn attempts_are_a_minute_then_twice_as_far_apart_and_six_hours_at_most() {
    let pending = GivenBack::from(RevocationResult::Pending);
    let minutes = |attempts| pending.again(attempts, NOW).since(NOW) / 60_000;
    let waits: Vec<i64> = [0, 1, 2, 3, 9, 10, 24, 1_000].map(minutes).to_vec();
    assert_eq!(waits, [1, 1, 2, 4, 256, 360, 360, 360]);
}

#[test]
fn a_provider_that_asks_for_longer_is_left_alone_for_longer() {
    let asked = GivenBack {
        result: RevocationResult::Pending,
        wait_seconds: Some(3_600),
    };
    assert_eq!(asked.again(1, NOW), NOW.plus_seconds(3_600));
    assert_eq!(asked.again(9, NOW), NOW.plus_seconds(256 * 60));
}

#[test]
fn after_the_last_attempt_a_pending_revocation_is_given_up_and_a_final_one_is_what_it_is() {
    let pending = GivenBack::from(RevocationResult::Pending);
    assert_eq!(pending.after(ATTEMPTS - 1), RevocationResult::Pending);
    assert_eq!(pending.after(ATTEMPTS), RevocationResult::GaveUp);
    let revoked = GivenBack::from(RevocationResult::Revoked);
    assert_eq!(revoked.after(ATTEMPTS), RevocationResult::Revoked);
}
