//! Waiting for the end of somebody else's lease.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use dogpile_core::{Key, Result};
use redis::Value;

use crate::backend::Place;
use crate::error::unexpected;
use crate::notify::listen;
use crate::redis::Redis;
use crate::stats::add;

/// The longest that a waiter goes by what it heard. Whoever takes a lease away without telling, by
/// flushing the database, delays nobody longer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
impl Redis {
    pub(crate) async fn left(&self, place: &Place<'_>) -> Result<Left> {
        let request = match place {
            Place::Plain(plain) => plain.left(),
            Place::Field(fields, field) => fields.left(field),
        };
        match self.wire.one(request).await? {
            Value::Int(-1) => Ok(Left::Endless),
            Value::Int(ms @ 1..) => Ok(Left::For(Duration::from_millis(ms.unsigned_abs()))),
            Value::Int(_) => Ok(Left::Free),
            reply => Err(unexpected("the time that a lease has left was expected", &reply)),
        }
    }

    /// Returns when the lease ended, or at the deadline, or early.
    pub(crate) async fn wait_until(&self, key: Key<'_>, deadline: Instant) -> Result<()> {
        let deadline = deadline.min(Instant::now() + LOOK_AGAIN);
        let place = self.place(key);
        // Python's locks are given back without a word.
        let hears = self.settings.names.lock_prefix.is_none();
        let listening = if hears { listen(&self.wire.link, &place.channel()) } else { None };
        let Some(listening) = listening else { return self.poll(&place, deadline).await };
        let woken = listening.channel.woken();
        tokio::pin!(woken);
        // From here on no message is missed.
        woken.as_mut().enable();
        match tokio::time::timeout_at(deadline.into(), listening.begin()).await {
            Err(_) => return Ok(()),
            Ok(Err(_)) => return self.poll(&place, deadline).await,
            Ok(Ok(asked)) => add(&self.wire.counts.round_trips, usize::from(asked)),
        }
        let until = match self.left(&place).await? {
            Left::Free => return Ok(()),
            Left::For(left) => deadline.min(Instant::now() + left),
            Left::Endless => deadline,
        };
        let _ = tokio::time::timeout_at(until.into(), woken).await;
        Ok(())
    }

    /// Looks again and again, at growing intervals.
    async fn poll(&self, place: &Place<'_>, deadline: Instant) -> Result<()> {
        const SHORTEST: Duration = Duration::from_millis(2);
        const LONGEST: Duration = Duration::from_millis(25);
        let mut pause = SHORTEST;
        loop {
            let left = match self.left(place).await? {
                Left::Free => return Ok(()),
                Left::For(left) => left,
                Left::Endless => LONGEST,
            };
            let now = Instant::now();
            if now >= deadline {
                return Ok(());
            }
            let jitter = u32::from(RandomState::new().hash_one(0_u8).to_le_bytes()[0]);
            let pause_now = pause.mul_f64(0.75 + f64::from(jitter) / 512.0);
            tokio::time::sleep(pause_now.min(left).min(deadline - now)).await;
            pause = (pause * 2).min(LONGEST);
        }
    }
}

/// How long a lease lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Left {
    Free,
    For(Duration),
    /// A lock of Python's without a timeout.
    Endless,
}

impl Place<'_> {
    fn channel(&self) -> Vec<u8> {
        match self {
            Self::Plain(plain) => plain.lease(),
            Self::Field(fields, field) => fields.channel(field),
        }
    }
}
