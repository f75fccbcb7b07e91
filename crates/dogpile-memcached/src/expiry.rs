//! How long the server keeps an item.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest time that the server takes for a number of seconds from now; above, it takes a moment in
/// Unix time.
const LONGEST: u64 = 30 * 24 * 3_600;
/// The last moment that servers understand.
const LAST: u64 = i32::MAX as u64;
/// How long a stale value outlives the turn of its refresher.
pub(crate) const GRACE: u32 = 3_600;

/// The time to live of an item, never less than `d`: the server counts its own seconds, of which the
/// first has begun. `None` is for ever.
pub(crate) fn ttl(d: Option<Duration>) -> u32 {
    let Some(d) = d else { return 0 };
    let seconds = whole(d).saturating_add(1);
    let seconds = match seconds > LONGEST {
        true => seconds.saturating_add(now()),
        false => seconds,
    };
    // What would be after the last moment is for ever.
    if seconds > LAST { 0 } else { u32::try_from(seconds).unwrap_or(0) }
}

/// The seconds of a turn, never less than `lease_for`.
pub(crate) fn lease(lease_for: Duration) -> u32 {
    let seconds = whole(lease_for).saturating_add(1).clamp(2, LONGEST - u64::from(GRACE));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The time to live of a stale value whose refresher has so many seconds.
pub(crate) fn stale(lease_seconds: u32) -> u32 {
    lease_seconds + GRACE
}

/// The time that an item has left, as it was told, in the form in which it is set.
pub(crate) fn left(ttl: Option<u64>) -> u32 {
    let Some(seconds) = ttl else { return 0 };
    let seconds = match seconds > LONGEST {
        true => seconds.saturating_add(now()),
        false => seconds.max(1),
    };
    if seconds > LAST { 0 } else { u32::try_from(seconds).unwrap_or(0) }
}

/// When an item expires that has so much time left, as a number of 31 bits; 0 if it does not.
pub(crate) fn until(ttl: Option<u64>) -> u32 {
    let moment = ttl.map_or(0, |left| left.saturating_add(now()));
    if moment > LAST { 0 } else { u32::try_from(moment).unwrap_or(0) }
}

/// The time to live of an item that is to expire [then](until); none if that has passed.
pub(crate) fn to_live(until: u32) -> Option<u32> {
    match (u64::from(until), now()) {
        (0, _) => Some(0),
        (until, now) if until <= now => None,
        (until, now) => Some(left(Some(until - now))),
    }
}

fn whole(d: Duration) -> u64 {
    d.as_secs().saturating_add(u64::from(d.subsec_nanos() > 0))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_lives_at_least_as_long_as_asked() {
        assert_eq!(ttl(None), 0);
        for (ms, seconds) in [(0, 1), (1, 2), (999, 2), (1_000, 2), (1_001, 3), (60_000, 61)] {
            assert_eq!(ttl(Some(Duration::from_millis(ms))), seconds, "{ms} ms");
        }
    }

    #[test]
    fn long_times_are_moments() {
        let days = |n: u64| Duration::from_secs(n * 24 * 3_600);
        assert_eq!(u64::from(ttl(Some(days(29)))), 29 * 24 * 3_600 + 1);
        for d in [days(30), days(31), days(365)] {
            let moment = u64::from(ttl(Some(d)));
            let expected = now() + d.as_secs() + 1;
            assert!(moment.abs_diff(expected) <= 1, "{d:?}: {moment}, not {expected}");
        }
        assert_eq!(ttl(Some(Duration::MAX)), 0);
        assert_eq!(ttl(Some(days(365 * 100))), 0);
    }

    #[test]
    fn turns_round_up() {
        for (ms, seconds) in [(0, 2), (1, 2), (1_000, 2), (1_001, 3), (30_000, 31)] {
            assert_eq!(lease(Duration::from_millis(ms)), seconds, "{ms} ms");
        }
        assert!(u64::from(stale(lease(Duration::MAX))) <= LONGEST);
    }

    #[test]
    fn the_end_of_an_item_is_remembered() {
        assert_eq!(to_live(until(None)), Some(0));
        assert_eq!(to_live(until(Some(u64::MAX))), Some(0));
        assert_eq!(to_live(until(Some(0))), None);
        for seconds in [2, 77, 3_601, 29 * 24 * 3_600] {
            let again = to_live(until(Some(seconds))).unwrap();
            assert!((seconds - 1..=seconds).contains(&u64::from(again)), "{seconds}: {again}");
        }
        let beyond = 40 * 24 * 3_600;
        assert_eq!(to_live(until(Some(beyond))), Some(until(Some(beyond))));
    }

    #[test]
    fn what_was_left_is_set_again() {
        assert_eq!(left(None), 0);
        assert_eq!(left(Some(0)), 1);
        assert_eq!(left(Some(77)), 77);
        assert!(u64::from(left(Some(40 * 24 * 3_600))) > now());
    }
}
