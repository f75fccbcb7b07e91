//! The clocks of a session, and what they say about a token.

use std::time::Duration;

use dogpile_core::Timestamp;

use crate::header::Header;
use crate::{Error, ErrorKind, Result};

/// How far the clock of another machine may be ahead: a token from so far in the future is accepted.
/// It lives no longer for it.
pub(crate) const SKEW: Duration = Duration::from_secs(60);

/// A token is sealed anew when this part of its idle time has gone by: not with every response, which
/// would race with others and keep pages from being cached.
const REFRESHES: u32 = 10;

/// How long a session lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// Without a request.
    pub(crate) idle: Duration,
    /// From its beginning, whatever happens.
    pub(crate) absolute: Duration,
}

impl Lifetime {
    pub(crate) fn check(&self) -> Result<()> {
        if self.idle < Duration::from_secs(1) || self.absolute < self.idle {
            let what = "a session lives for a second at least, and not shorter than it may be idle";
            return Err(Error::new(ErrorKind::Refused, what));
        }
        Ok(())
    }

    /// Starts all clocks.
    pub(crate) fn begin(&self, header: &mut Header, now: Timestamp) {
        header.started = now;
        header.absolute_until = now.plus(self.absolute);
        self.renew(header, now);
    }

    /// Starts the idle clock again, as for every token that is sealed.
    pub(crate) fn renew(&self, header: &mut Header, now: Timestamp) {
        header.issued = now;
        header.idle_until = now.plus(self.idle).min(header.absolute_until);
    }

    /// Holds a token to these lifetimes, where it was sealed for longer ones.
    pub(crate) fn limit(&self, header: &mut Header) {
        header.absolute_until = header.absolute_until.min(header.started.plus(self.absolute));
        header.idle_until =
            header.idle_until.min(header.issued.plus(self.idle)).min(header.absolute_until);
    }

    /// Whether a token is so old that it is to be sealed anew for its idle time.
    pub(crate) fn is_due(&self, header: &Header, now: Timestamp) -> bool {
        header.idle_until < header.absolute_until
            && now.since(header.issued) >= self.idle / REFRESHES
    }
}

/// Why the time of a token is not now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Untimely {
    Future,
    Idle,
    Absolute,
}

pub(crate) fn judge(header: &Header, now: Timestamp) -> Result<(), Untimely> {
    if header.issued > now.plus(SKEW) {
        return Err(Untimely::Future);
    }
    if now >= header.absolute_until {
        return Err(Untimely::Absolute);
    }
    if now >= header.idle_until {
        return Err(Untimely::Idle);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime =
        Lifetime { idle: Duration::from_secs(1800), absolute: Duration::from_secs(7200) };
    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn begun() -> Header {
        let mut header = Header::default();
        LIFETIME.begin(&mut header, START);
        header
    }

    #[test]
    fn each_clock_ends_a_session_to_the_millisecond() {
        let mut header = begun();
        let before = |moment: Timestamp| moment.minus(Duration::from_millis(1));
        assert_eq!(judge(&header, before(at(1800))), Ok(()));
        assert_eq!(judge(&header, at(1800)), Err(Untimely::Idle));
        for second in (1000..7200).step_by(1000) {
            assert_eq!(judge(&header, at(second)), Ok(()));
            LIFETIME.renew(&mut header, at(second));
        }
        assert_eq!(judge(&header, before(at(7200))), Ok(()));
        assert_eq!(judge(&header, at(7200)), Err(Untimely::Absolute));
    }

    #[test]
    fn a_minute_of_skew_is_forgiven_and_adds_nothing() {
        let header = begun();
        let minute = START.minus(SKEW);
        assert_eq!(judge(&header, minute), Ok(()));
        assert_eq!(judge(&header, minute.minus(Duration::from_millis(1))), Err(Untimely::Future));
        assert_eq!(judge(&header, at(1801)), Err(Untimely::Idle));
    }

    #[test]
    fn it_is_renewed_after_a_tenth_of_its_idle_time_and_not_at_its_end() {
        let mut header = begun();
        assert!(!LIFETIME.is_due(&header, at(179)));
        assert!(LIFETIME.is_due(&header, at(180)));
        // A clock that was set back asks for nothing.
        assert!(!LIFETIME.is_due(&header, START.minus(SKEW)));
        LIFETIME.renew(&mut header, at(5400));
        assert_eq!(header.idle_until, header.absolute_until);
        assert!(!LIFETIME.is_due(&header, at(7000)));
    }
}
