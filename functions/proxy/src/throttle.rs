//! PURE. When an API that was called too often wants to be called again.

use consulate_core::clock::Timestamp;
use consulate_core::passport::Passport;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// A number above this is an instant in epoch seconds, not a wait.
const EPOCH_FROM: i64 = 1_000_000_000;
/// A longer wait is not passed on: whatever it is, it is not "try again".
const LONGEST: i64 = 86_400;

/// Seconds until then, at least one: `Retry-After` (RFC 9110 section 10.2.3), else the header the provider says it in.
pub fn retry_after(passport: &Passport, headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let read = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = match read(RETRY_AFTER.as_str()) {
        Some(text) => wait(text, now)?,
        None => wait(read(passport.throttle_reset_header.as_deref()?)?, now)?,
    };
    u64::try_from(seconds.clamp(1, LONGEST)).ok()
}

fn wait(text: &str, now: Timestamp) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(number) if !number.is_finite() => None,
        Ok(number) if number >= EPOCH_FROM as f64 => Some(number.ceil() as i64 - now.seconds()),
        Ok(number) => Some(number.ceil() as i64),
        Err(_) => Some(
            Timestamp::parse_http_date(text)?
                .since(now)
                .div_euclid(1000)
                + 1,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(headers: &[(&str, &str)]) -> Option<u64> {
        let passport = Passport {
            throttle_reset_header: Some("x-rate-limit-reset".into()),
            ..Passport::default()
        };
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name = http::HeaderName::try_from(*name).unwrap();
                (name, value.parse().unwrap())
            })
            .collect();
        retry_after(&passport, &headers, NOW)
    }

    #[test]
    fn a_wait_is_understood_in_seconds_as_a_date_and_as_an_instant() {
        assert_eq!(after(&[("retry-after", "7")]), Some(7));
        assert_eq!(after(&[("retry-after", "0.2")]), Some(1));
        assert_eq!(
            after(&[("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")]),
            Some(31)
        );
        assert_eq!(after(&[("x-rate-limit-reset", "1800000090")]), Some(90));
        assert_eq!(after(&[("x-rate-limit-reset", "15")]), Some(15));
        assert_eq!(
            after(&[("x-rate-limit-reset", "1800000090"), ("retry-after", "3")]),
            Some(3)
        );
    }

    #[test]
    fn what_has_passed_is_a_second_and_nonsense_is_nothing() {
        assert_eq!(after(&[("x-rate-limit-reset", "1700000000")]), Some(1));
        assert_eq!(after(&[("retry-after", "99999999")]), Some(86_400));
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[("retry-after", "NaN")]), None);
        assert_eq!(after(&[]), None);
    }
}
