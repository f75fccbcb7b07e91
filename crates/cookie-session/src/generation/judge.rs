//! What a generation in a token is worth.

use std::time::Duration;

use dogpile_core::Timestamp;

use super::store::Generation;

/// How the number of a token stands to what the store keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    Current {
        acknowledged: bool,
    },
    /// The one before the present: it may be read.
    Previous {
        present: u64,
        /// The present one never arrived, as far as anybody can tell, so this one may go on.
        is_abandoned: bool,
    },
    /// The store does not know it: it lost it, or never had it.
    Missing,
    /// Something newer was given out, or it was revoked.
    Superseded {
        /// So short a time ago that this request may have been under way.
        just_now: bool,
    },
}

/// Judges a token's number against the store's.
pub(crate) fn judge(
    number: u64,
    kept: Option<Generation>,
    now: Timestamp,
    grace: Duration,
) -> Standing {
    let Some(kept) = kept.filter(|kept| number != 0 && number <= kept.number) else {
        return Standing::Missing;
    };
    if number == kept.number {
        return Standing::Current { acknowledged: kept.acknowledged };
    }
    let in_grace = now <= kept.previous_until;
    if number == kept.number - 1 && (in_grace || !kept.acknowledged) {
        return Standing::Previous { present: kept.number, is_abandoned: !in_grace };
    }
    Standing::Superseded { just_now: is_just_now(kept, now, grace) }
}

/// Whether a row was raised, or a session saved, so short a time ago that a request may have been
/// under way. What is raised is raised to the present moment in milliseconds.
pub(crate) fn is_just_now(kept: Generation, now: Timestamp, grace: Duration) -> bool {
    now <= kept.previous_until || now.since(Timestamp::from_millis(kept.number)) <= grace
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn kept(number: u64, grace_left: i64, acknowledged: bool) -> Option<Generation> {
        let previous_until =
            Timestamp::from_millis(NOW.as_millis().saturating_add_signed(grace_left));
        Some(Generation { number, previous_until, acknowledged })
    }

    #[test]
    fn the_table() {
        let previous = |is_abandoned| Standing::Previous { present: 500_000, is_abandoned };
        let old = Standing::Superseded { just_now: false };
        for (number, kept, standing) in [
            (500_000, kept(500_000, 0, true), Standing::Current { acknowledged: true }),
            (500_000, kept(500_000, 5, false), Standing::Current { acknowledged: false }),
            // The one before: in grace or not, arrived or not.
            (499_999, kept(500_000, 0, true), previous(false)),
            (499_999, kept(500_000, 5, false), previous(false)),
            (499_999, kept(500_000, -1, false), previous(true)),
            (499_999, kept(500_000, -1, true), old),
            // Two before.
            (499_998, kept(500_000, 5, false), Standing::Superseded { just_now: true }),
            (499_998, kept(500_000, 0, true), Standing::Superseded { just_now: true }),
            (499_998, kept(500_000, -1, false), old),
            // Raised.
            (499_999, Some(Generation::begun(500_000)), old),
            (999_000, Some(Generation::begun(999_500)), Standing::Superseded { just_now: true }),
            (960_000, Some(Generation::begun(969_999)), old),
            // Lost, wholly or back to an older state.
            (500_000, None, Standing::Missing),
            (500_000, kept(499_999, 5, false), Standing::Missing),
            // Never had.
            (0, None, Standing::Missing),
            (0, kept(1, 5, false), Standing::Missing),
        ] {
            assert_eq!(judge(number, kept, NOW, GRACE), standing, "{number} of {kept:?}");
        }
    }
}
