//! Waiting for the end of somebody else's lease.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use dogpile_core::{Key, Result};
use redis::Value;

use crate::backend::Place;
use crate::error::unexpected;
use crate::notify::{Listening, listen};
use crate::redis::Redis;
use crate::stats::add;

/// The longest that a waiter goes by what it heard. Whoever takes a lease away without telling, by
/// flushing the database, delays nobody longer.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);

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

    /// Returns when the lease ended, or early.
    pub(crate) async fn until_ended(&self, key: Key<'_>) {
        let place = self.place(key);
        // Python's locks are given back without a word.
        let hears = self.settings.names.lock_prefix.is_none();
        let listening = if hears { listen(&self.wire.link, &place.channel()) } else { None };
        match listening {
            Some(listening) if self.told(&place, &listening).await.is_ok() => {}
            _ => self.poll(&place).await,
        }
    }

    /// Waits for the message that the lease ended.
    async fn told(&self, place: &Place<'_>, listening: &Listening) -> Result<()> {
        let mut woken = pin!(listening.channel.woken());
        // From here on no message is missed.
        woken.as_mut().enable();
        let asked = listening.begin().await?;
        add(&self.wire.counts.round_trips, usize::from(asked));
        match self.left(place).await? {
            Left::Free => {}
            Left::For(left) => _ = tokio::time::timeout(left, woken).await,
            Left::Endless => woken.await,
        }
        Ok(())
    }

    /// Looks again and again, at growing intervals.
    async fn poll(&self, place: &Place<'_>) {
        const SHORTEST: Duration = Duration::from_millis(2);
        const LONGEST: Duration = Duration::from_millis(25);
        let mut pause = SHORTEST;
        loop {
            let left = match self.left(place).await {
                Ok(Left::Free) => return,
                Ok(Left::For(left)) => left,
                Ok(Left::Endless) => LONGEST,
                // Whoever cannot see it asks again, and not without a pause.
                Err(_) => return tokio::time::sleep(LONGEST).await,
            };
            let jitter = u32::from(RandomState::new().hash_one(0_u8).to_le_bytes()[0]);
            let pause_now = pause.mul_f64(0.75 + f64::from(jitter) / 512.0);
            tokio::time::sleep(pause_now.min(left)).await;
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
