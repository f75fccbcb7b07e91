//! Leases, kept by the server.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Age, Answer, Ask, Entry, Error, ErrorKind, Held, Key, KeyBuf, Lease, LeaseBackend, Result,
    SetOptions,
};
use futures_util::future::join_all;
use redis::Value;

use crate::backend::Place;
use crate::error::unexpected;
use crate::layout::{bytes, done, is_marker, lease_millis, list, token_of};
use crate::link::runtime;
use crate::redis::Redis;
use crate::stats::add;
use crate::wait::{LOOK_AGAIN, Left};
use crate::wire::Request;

/// How often who asks is told of a value that came meanwhile and is not fresh either.
const ROUNDS: usize = 8;

impl LeaseBackend for Redis {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        let place = self.place(ask.key);
        let hint = place.hint(self);
        if !hint.is_fresh() {
            // Boxed here and below, so that a hit carries nothing that is only there for a lease.
            return Box::pin(self.read_and_lease(&place, ask)).await;
        }
        let inside = bytes(self.wire.one(place.get()).await?)?;
        match self.looked_at(&place, inside, ask).await? {
            Looked::Fresh(entry) => Ok(Answer::Fresh(entry)),
            Looked::Other(seen) => {
                hint.stale();
                Box::pin(self.lease(&place, seen, ask)).await
            }
        }
    }

    /// Asks for all leases at once, as if nothing were there: who asks for many has read them.
    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        let mut answers: Vec<Option<Answer<Bytes>>> = vec![None; asks.len()];
        let mut answered = Vec::with_capacity(asks.len());
        let mut wanted: Vec<_> = asks
            .iter()
            .enumerate()
            .map(|(at, ask)| Wanted { at, asked: Asked::new(self, ask.key), seen: Seen::nothing() })
            .collect();
        for _ in 0..ROUNDS {
            let mut again = Vec::new();
            for (mut one, said) in self.ask_many(asks, wanted).await {
                let ask = &asks[one.at];
                let now = match said? {
                    Said::Changed(now) => now,
                    said => {
                        answers[one.at] = Some(said.answer(one.asked.token, one.seen.stale));
                        answered.push(one.asked);
                        continue;
                    }
                };
                match self.looked_at(&self.place(ask.key), Some(now), ask).await? {
                    Looked::Fresh(entry) => {
                        answers[one.at] = Some(Answer::Fresh(entry));
                        answered.push(one.asked);
                    }
                    Looked::Other(seen) => {
                        one.seen = seen;
                        again.push(one);
                    }
                }
            }
            wanted = again;
            if wanted.is_empty() {
                break;
            }
        }
        // Not before: if one fails, nobody hears of the others.
        answered.into_iter().for_each(|asked| _ = asked.told());
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Answer::Busy { stale: None }))
            .collect())
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<Held> {
        let held = self.fill_many(&[(key, lease, entry)], options).await?;
        Ok(held.into_iter().next().unwrap_or(Held::Lost))
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let publish = self.wire.publish();
        let mut held = vec![Held::Lost; fills.len()];
        let (mut requests, mut places) = (Vec::new(), Vec::new());
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (at, (key, lease, entry)) in fills.iter().enumerate() {
            let closed = match self.closed(entry, options) {
                Ok(closed) => closed,
                Err(error) => return self.released(fills, error).await,
            };
            let token = written(lease.token());
            match self.place(*key) {
                Place::Plain(plain) => {
                    requests.push(plain.store(&token, &closed.0, closed.1, publish));
                    places.push(vec![at]);
                }
                Place::Field(fields, field) => {
                    let group = groups.entry(key.group()).or_default();
                    group.push((at, token, field, self.in_group(closed), fields));
                }
            }
        }
        let stored = groups.values().flatten().map(|(_, _, _, stored, _)| stored);
        if let Err(error) = self.check_field_expiry(stored).await {
            return self.released(fills, error).await;
        }
        let singles = requests.len();
        for group in groups.values() {
            let items: Vec<_> = group
                .iter()
                .map(|(_, token, field, stored, _)| (&**token, *field, stored))
                .collect();
            let Some((.., fields)) = group.first() else { continue };
            requests.push(fields.store(self.settings.group_expiry, publish, &items));
            places.push(group.iter().map(|(at, ..)| *at).collect());
        }
        let replies = if requests.is_empty() { Vec::new() } else { self.wire.all(&requests).await };
        for (nth, (places, reply)) in places.into_iter().zip(replies).enumerate() {
            let replies = if nth < singles { vec![reply?] } else { list(reply?, places.len())? };
            for (at, reply) in places.into_iter().zip(replies) {
                match done(&reply)? {
                    true => held[at] = Held::Kept,
                    false => add(&self.wire.counts.lost_leases, 1),
                }
            }
        }
        Ok(held)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let token = written(lease.token());
        let request = match self.place(key) {
            Place::Plain(plain) => plain.extend(&token, lease_millis(lease_for)),
            Place::Field(fields, field) => fields.extend(&token, field, lease_for),
        };
        self.held(request).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let (token, publish) = (written(lease.token()), self.wire.publish());
        let request = match self.place(key) {
            Place::Plain(plain) => plain.release(&token, publish),
            Place::Field(fields, field) => fields.release(&token, field, publish),
        };
        self.held(request).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (redis, key) = (self.clone(), KeyBuf::from(key));
            runtime.spawn(async move { redis.release(key.as_key(), lease).await });
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        // Who asks again is told why nobody waits without a runtime.
        if runtime().is_err() {
            return;
        }
        let _ = tokio::time::timeout(at_most.min(LOOK_AGAIN), self.until_ended(key)).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        Ok(self.left(&self.place(key)).await? != Left::Free)
    }
}

/// What was read, to one who asked.
enum Looked {
    Fresh(Entry<Bytes>),
    Other(Seen),
}

/// What was read and is not fresh.
struct Seen {
    /// What a script compares to find out whether it has changed.
    bytes: Vec<u8>,
    stale: Option<Entry<Bytes>>,
}

impl Seen {
    fn nothing() -> Self {
        Self { bytes: b"-".to_vec(), stale: None }
    }
}

/// A key to ask for.
struct Wanted<'a> {
    at: usize,
    asked: Asked<'a>,
    seen: Seen,
}

/// A lease that is asked for. Who gives up before the answer is there, or fails, has it given back: the
/// server may have granted it.
struct Asked<'a> {
    redis: &'a Redis,
    key: Key<'a>,
    token: u128,
    told: bool,
}

impl<'a> Asked<'a> {
    fn new(redis: &'a Redis, key: Key<'a>) -> Self {
        Self { redis, key, token: new_token(), told: false }
    }

    /// The token, for who asked.
    fn told(mut self) -> u128 {
        self.told = true;
        self.token
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.redis.abandon(self.key, Lease::new(self.token));
        }
    }
}

impl Redis {
    /// The error that keeps values from being stored, after their leases were ended.
    async fn released(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        error: Error,
    ) -> Result<Vec<Held>> {
        // A lease has an end, and the first error is the one that matters.
        join_all(fills.iter().map(|(key, lease, _)| self.release(*key, *lease))).await;
        Err(error)
    }

    async fn held(&self, request: Request) -> Result<Held> {
        Ok(if done(&self.wire.one(request).await?)? { Held::Kept } else { Held::Lost })
    }

    /// Reads a value together with the holder of its lease, and asks for the lease if nobody has it.
    async fn read_and_lease(&self, place: &Place<'_>, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        let both = [place.get(), place.holder()];
        let mut replies = self.wire.all(&both).await.into_iter();
        let (Some(stored), Some(holder)) = (replies.next(), replies.next()) else {
            return Ok(Answer::Busy { stale: None });
        };
        let busy = place.is_held(&holder?, ask);
        match self.looked_at(place, bytes(stored?)?, ask).await? {
            Looked::Fresh(entry) => {
                place.hint(self).fresh();
                Ok(Answer::Fresh(entry))
            }
            Looked::Other(seen) if busy => Ok(Answer::Busy { stale: seen.stale }),
            Looked::Other(seen) => self.lease(place, seen, ask).await,
        }
    }

    /// Asks for the lease of what was seen.
    async fn lease(&self, place: &Place<'_>, seen: Seen, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        let (asked, mut seen) = (Asked::new(self, ask.key), seen);
        for _ in 0..ROUNDS {
            let request =
                place.ask(&written(asked.token), lease_millis(ask.lease_for), &seen.bytes);
            let now = match Said::new(place.single(self.wire.one(request).await?)?)? {
                Said::Changed(now) => now,
                said => return Ok(said.answer(asked.told(), seen.stale)),
            };
            seen = match self.looked_at(place, Some(now), ask).await? {
                Looked::Fresh(entry) => {
                    asked.told();
                    place.hint(self).fresh();
                    return Ok(Answer::Fresh(entry));
                }
                Looked::Other(seen) => seen,
            };
        }
        Ok(Answer::Busy { stale: None })
    }

    /// What was read, as the asker sees it. Bytes that are no entry are a missing one.
    async fn looked_at(
        &self,
        place: &Place<'_>,
        inside: Option<Bytes>,
        ask: &Ask<'_>,
    ) -> Result<Looked> {
        let Some(inside) = inside else { return Ok(Looked::Other(Seen::nothing())) };
        let envelope = &self.settings.envelope;
        let mut seen = None;
        let stored = match place {
            Place::Field(fields, field) if is_marker(&inside) => {
                seen = Some([b"+", &inside[..]].concat());
                self.unmarked(fields, field, Some(inside)).await?
            }
            _ => Some(inside),
        };
        let Some(stored) = stored else {
            // What is left of it is the mark, and a script has to know that it was seen.
            let gone = seen.map(|bytes| Seen { bytes, stale: None });
            return Ok(Looked::Other(gone.unwrap_or_else(Seen::nothing)));
        };
        let opened = match envelope.open(&stored, ask.freshness.now()) {
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            opened => Some(opened?),
        };
        let age = opened.as_ref().map_or(Age::Dead, |it| ask.freshness.age(&it.stamps));
        let opened = match (age, opened) {
            (Age::Fresh, Some(opened)) => return Ok(Looked::Fresh(opened.entry(stored))),
            (Age::Stale, opened) => opened,
            (Age::Fresh | Age::Dead, _) => None,
        };
        let bytes = seen.unwrap_or_else(|| [b"+", envelope.head(&stored)].concat());
        let stale = opened.map(|opened| opened.entry(stored));
        Ok(Looked::Other(Seen { bytes, stale }))
    }

    async fn ask_many<'a>(
        &self,
        asks: &[Ask<'_>],
        wanted: Vec<Wanted<'a>>,
    ) -> Vec<(Wanted<'a>, Result<Said>)> {
        let (mut requests, mut order) = (Vec::new(), Vec::new());
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for wanted in wanted {
            let ask = &asks[wanted.at];
            let ms = lease_millis(ask.lease_for);
            match ask.key.group() {
                Some(group) => groups.entry((group, ms)).or_default().push(wanted),
                None => {
                    let place = self.place(ask.key);
                    requests.push(place.ask(&written(wanted.asked.token), ms, &wanted.seen.bytes));
                    order.push(vec![wanted]);
                }
            }
        }
        let singles = requests.len();
        for ((group, ms), wanted) in groups {
            let tokens: Vec<_> = wanted.iter().map(|wanted| written(wanted.asked.token)).collect();
            let asked: Vec<_> = wanted
                .iter()
                .zip(&tokens)
                .map(|(wanted, token)| {
                    (&**token, asks[wanted.at].key.as_bytes(), &*wanted.seen.bytes)
                })
                .collect();
            requests.push(self.fields(group).ask(ms, &asked));
            order.push(wanted);
        }
        let replies = self.wire.all(&requests).await;
        let mut said = Vec::with_capacity(asks.len());
        for (nth, (wanted, reply)) in order.into_iter().zip(replies).enumerate() {
            let replies = match reply {
                Ok(reply) if nth < singles => Ok(vec![reply]),
                Ok(reply) => list(reply, wanted.len()),
                Err(error) => Err(error),
            };
            match replies {
                Ok(replies) => {
                    said.extend(wanted.into_iter().zip(replies.into_iter().map(Said::new)))
                }
                Err(error) => {
                    said.extend(wanted.into_iter().map(|wanted| (wanted, Err(error.clone()))));
                }
            }
        }
        said
    }
}

/// What the server said to who asked for a lease.
enum Said {
    Changed(Bytes),
    Granted { gone: bool },
    Taken { gone: bool },
}

impl Said {
    fn new(reply: Value) -> Result<Self> {
        match reply {
            Value::Int(1) => Ok(Self::Granted { gone: false }),
            Value::Int(2) => Ok(Self::Granted { gone: true }),
            Value::Int(0) => Ok(Self::Taken { gone: false }),
            Value::Int(-1) => Ok(Self::Taken { gone: true }),
            Value::BulkString(now) => Ok(Self::Changed(now.into())),
            reply => Err(unexpected("a lease was asked for", &reply)),
        }
    }

    fn answer(self, token: u128, seen: Option<Entry<Bytes>>) -> Answer<Bytes> {
        match self {
            Self::Granted { gone } => {
                Answer::Create { lease: Lease::new(token), stale: seen.filter(|_| !gone) }
            }
            Self::Taken { gone } => Answer::Busy { stale: seen.filter(|_| !gone) },
            Self::Changed(_) => Answer::Busy { stale: seen },
        }
    }
}

impl Place<'_> {
    fn hint<'r>(&self, redis: &'r Redis) -> crate::hints::Hint<'r> {
        match self {
            Self::Plain(plain) => redis.hints.of(&plain.value, b""),
            Self::Field(fields, field) => redis.hints.of(&fields.hash, field),
        }
    }

    fn get(&self) -> Request {
        match self {
            Self::Plain(plain) => plain.get(),
            Self::Field(fields, field) => fields.get(field),
        }
    }

    fn holder(&self) -> Request {
        match self {
            Self::Plain(plain) => plain.holder(),
            Self::Field(fields, field) => fields.holder(field),
        }
    }

    /// Whether somebody is certain to hold the lease. What cannot be told from here is asked for.
    fn is_held(&self, holder: &Value, ask: &Ask<'_>) -> bool {
        let Value::BulkString(holder) = holder else { return false };
        match self {
            Self::Plain(_) => true,
            // The end is by the server's clock. If ours is behind it by much more than a lease, this
            // says no; if it is ahead, too.
            Self::Field(..) => {
                const SKEW: u64 = 1_000;
                let now = ask.freshness.now().as_millis();
                let longest = lease_millis(ask.lease_for) + SKEW;
                let ends = std::str::from_utf8(holder).ok().and_then(|text| text.split_once(':'));
                ends.and_then(|(_, ends)| ends.parse::<u64>().ok())
                    .is_some_and(|ends| ends > now && ends - now <= longest)
            }
        }
    }

    fn ask(&self, token: &str, lease_ms: u64, seen: &[u8]) -> Request {
        match self {
            Self::Plain(plain) => plain.ask(token, lease_ms, seen),
            Self::Field(fields, field) => fields.ask(lease_ms, &[(token, field, seen)]),
        }
    }

    /// The answer for this key in the reply to a question that may have been for many.
    fn single(&self, reply: Value) -> Result<Value> {
        match self {
            Self::Plain(_) => Ok(reply),
            Self::Field(..) => Ok(list(reply, 1)?.pop().unwrap_or(Value::Nil)),
        }
    }
}

fn written(token: u128) -> String {
    format!("{token:032x}")
}

/// The hashers of the standard library take their seeds from the system's source of randomness.
fn new_token() -> u128 {
    let draw = || u128::from(RandomState::new().hash_one(std::process::id()));
    token_of(draw() << 64 | draw())
}
