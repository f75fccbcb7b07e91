//! The moments before which everything is stale, or dead.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{BoxFuture, Clock, DynCounter, Freshness, Key, Result, Timestamp};

use super::Invalidation;

/// Two moments: what was created before them is stale, or dead.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Barrier {
    pub(super) stale: Timestamp,
    pub(super) dead: Timestamp,
}

impl Barrier {
    pub(super) fn max(self, other: Self) -> Self {
        Self { stale: self.stale.max(other.stale), dead: self.dead.max(other.dead) }
    }

    /// The stamp of a value whose creation ended now, where this barrier was known when it began and
    /// `after` is known now.
    ///
    /// An invalidation in between wins, by what the barriers say and not by the clock: the clocks of
    /// two machines differ.
    pub(super) fn stamp(self, after: Self, now: Timestamp) -> Stamp {
        let mut created = now.max(self.stale).max(self.dead);
        for (before, after) in [(self.stale, after.stale), (self.dead, after.dead)] {
            if after > before {
                created = created.min(after.minus(Duration::from_millis(1)));
            }
        }
        Stamp { created, store: after.dead <= self.dead, overtaken: after != self }
    }
}

/// What [`Barrier::stamp`] says.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    pub(super) created: Timestamp,
    pub(super) store: bool,
    pub(super) overtaken: bool,
}

/// The barriers of a region and of its groups.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    region: Known,
    groups: RwLock<HashMap<Box<[u8]>, Arc<Known>>>,
    /// Whether there is any group to look for.
    grouped: AtomicBool,
    /// The latest stamp that was given to a value here: a barrier has to lie after it.
    latest: AtomicU64,
    shared: Option<Shared>,
}

/// Where all processes keep the barriers.
#[derive(Debug)]
struct Shared {
    counter: Arc<dyn DynCounter>,
    /// What the counters' names end with: the prefix of the region's keys.
    name: Vec<u8>,
    lag: Duration,
}

impl Barriers {
    /// How many groups are remembered.
    const GROUPS: usize = 10_000;

    pub(super) fn shared(counter: Arc<dyn DynCounter>, name: Vec<u8>, lag: Duration) -> Self {
        let shared = Some(Shared { counter, name, lag });
        Self { shared, grouped: AtomicBool::new(true), ..Self::default() }
    }

    /// The same sharing, for keys of another prefix.
    pub(super) fn renamed(&self, name: Vec<u8>) -> Self {
        match &self.shared {
            Some(shared) => Self::shared(Arc::clone(&shared.counter), name, shared.lag),
            None => Self::default(),
        }
    }

    /// What is known without asking anybody; `None` if it is time to ask.
    #[inline(always)]
    pub(super) fn known(&self, group: Option<&[u8]>, clock: &dyn Clock) -> Option<Barrier> {
        let recent = self.shared.as_ref().map(|shared| (clock.recent(), shared.lag));
        let mut barrier = self.region.get(recent)?;
        if let Some(group) = group
            && self.grouped.load(Relaxed)
        {
            match self.group(group) {
                Some(known) => barrier = barrier.max(known.get(recent)?),
                None if self.shared.is_some() => return None,
                None => {}
            }
        }
        Some(barrier)
    }

    /// What all processes know at this moment.
    pub(super) async fn read(&self, group: Option<&[u8]>, clock: &dyn Clock) -> Result<Barrier> {
        match &self.shared {
            // Boxed, so that who shares nothing moves no future that is only there for who does.
            Some(shared) => Box::pin(self.read_shared(shared, group, clock)).await,
            None => Ok(self.present(group)),
        }
    }

    async fn read_shared(
        &self,
        shared: &Shared,
        group: Option<&[u8]>,
        clock: &dyn Clock,
    ) -> Result<Barrier> {
        let group = group.map(|group| (group, self.group_or_new(group)));
        let known = [Some(&self.region), group.as_ref().map(|(_, known)| &**known)];
        let reading = Reading::start(known, clock.recent());
        let mut names =
            vec![shared.name(Invalidation::Soft, None), shared.name(Invalidation::Hard, None)];
        if let Some((group, _)) = &group {
            names.push(shared.name(Invalidation::Soft, Some(group)));
            names.push(shared.name(Invalidation::Hard, Some(group)));
        }
        let moments = shared.read(&names).await?;
        let barrier = |at: usize| Barrier {
            stale: moments.get(at).copied().unwrap_or_default(),
            dead: moments.get(at + 1).copied().unwrap_or_default(),
        };
        self.region.raise(barrier(0));
        if let Some((_, known)) = &group {
            known.raise(barrier(2));
        }
        reading.done();
        let region = self.region.barrier();
        Ok(group.map_or(region, |(_, known)| region.max(known.barrier())))
    }

    /// Takes note of a stamp that a value was given.
    pub(super) fn stamped(&self, created: Timestamp) {
        self.latest.fetch_max(created.as_millis(), Relaxed);
    }

    /// What this process knows, however old.
    pub(super) fn present(&self, group: Option<&[u8]>) -> Barrier {
        let group =
            group.filter(|_| self.grouped.load(Relaxed)).and_then(|group| self.group(group));
        group.map_or(self.region.barrier(), |known| self.region.barrier().max(known.barrier()))
    }

    /// Puts everything created before this moment behind the barrier, of the group or the region.
    pub(super) async fn invalidate(
        &self,
        group: Option<&[u8]>,
        how: Invalidation,
        clock: &dyn Clock,
    ) -> Result<()> {
        // What was created in this same millisecond is meant too, even if its stamp had to lie ahead
        // of the clock because of the barrier before this one. Stamps further ahead are stale anyway.
        let now = clock.now();
        let latest = Timestamp::from_millis(self.latest.load(Relaxed));
        let created = if latest <= now.plus(Freshness::SKEW) { now.max(latest) } else { now };
        let mut at = created.plus(Duration::from_millis(1));
        if let Some(shared) = &self.shared {
            let name = shared.name(how, group);
            let bumped = shared.counter.bump_dyn(Key::name(&name), at.as_millis()).await?;
            at = Timestamp::from_millis(bumped);
        }
        let barrier = match how {
            Invalidation::Hard => Barrier { dead: at, stale: Timestamp::MIN },
            Invalidation::Soft => Barrier { stale: at, dead: Timestamp::MIN },
        };
        match group {
            None => self.region.raise(barrier),
            Some(group) => self.group_or_new(group).raise(barrier),
        }
        Ok(())
    }

    fn group(&self, group: &[u8]) -> Option<Arc<Known>> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner).get(group).cloned()
    }

    fn group_or_new(&self, group: &[u8]) -> Arc<Known> {
        if let Some(known) = self.group(group) {
            return known;
        }
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        if groups.len() >= Self::GROUPS {
            self.forget_half(&mut groups);
        }
        self.grouped.store(true, Relaxed);
        Arc::clone(groups.entry(group.into()).or_default())
    }

    /// Makes room. Shared barriers can be read again; local ones are forgotten only in favour of a
    /// barrier of the whole region, which forgets too much rather than too little.
    fn forget_half(&self, groups: &mut HashMap<Box<[u8]>, Arc<Known>>) {
        if self.shared.is_some() {
            groups.clear();
            return;
        }
        let mut moments: Vec<Timestamp> =
            groups.values().map(|known| known.barrier()).map(|b| b.stale.max(b.dead)).collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let median = *median;
        groups.retain(|_, known| {
            let barrier = known.barrier();
            let keep = barrier.stale.max(barrier.dead) > median;
            if !keep {
                self.region.raise(barrier);
            }
            keep
        });
    }
}

impl Shared {
    /// The name of a counter. It has the form of a function call, so no plain text key is like it.
    fn name(&self, how: Invalidation, group: Option<&[u8]>) -> Vec<u8> {
        let how: &[u8] = match how {
            Invalidation::Hard => b"hard",
            Invalidation::Soft => b"soft",
        };
        let group = group.map(|group| [b",", group].concat()).unwrap_or_default();
        [&self.name[..], b"invalidated(", how, &group, b")"].concat()
    }

    /// The counters, all asked at once.
    async fn read(&self, names: &[Vec<u8>]) -> Result<Vec<Timestamp>> {
        let mut reads: Vec<BoxFuture<'_, Result<u64>>> =
            names.iter().map(|name| self.counter.read_dyn(Key::name(name))).collect();
        let mut answers = vec![None; reads.len()];
        poll_fn(|cx| {
            for (read, answer) in reads.iter_mut().zip(&mut answers) {
                if answer.is_none() {
                    match read.as_mut().poll(cx) {
                        Poll::Pending => {}
                        Poll::Ready(Ok(number)) => *answer = Some(Timestamp::from_millis(number)),
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    }
                }
            }
            match answers.iter().copied().collect() {
                Some(all) => Poll::Ready(Ok(all)),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// A barrier as this process knows it.
#[derive(Debug, Default)]
struct Known {
    stale: AtomicU64,
    dead: AtomicU64,
    /// When it was last read; zero is "never".
    read_at: AtomicU64,
}

impl Known {
    /// The barrier, unless it is shared and was read more than the lag ago.
    #[inline]
    fn get(&self, shared: Option<(Timestamp, Duration)>) -> Option<Barrier> {
        if let Some((now, lag)) = shared {
            let read_at = Timestamp::from_millis(self.read_at.load(Relaxed));
            // A clock that was set back would otherwise stop the reading until it caught up.
            if read_at == Timestamp::MIN || now < read_at || now.since(read_at) >= lag {
                return None;
            }
        }
        Some(self.barrier())
    }

    #[inline]
    fn barrier(&self) -> Barrier {
        Barrier {
            stale: Timestamp::from_millis(self.stale.load(Relaxed)),
            dead: Timestamp::from_millis(self.dead.load(Relaxed)),
        }
    }

    fn raise(&self, barrier: Barrier) {
        self.stale.fetch_max(barrier.stale.as_millis(), Relaxed);
        self.dead.fetch_max(barrier.dead.as_millis(), Relaxed);
    }
}

/// A reading under way: others go by what was known until it ends. If it fails or is dropped, the
/// next caller reads.
struct Reading<'a> {
    known: [Option<&'a Known>; 2],
    before: [u64; 2],
    now: u64,
}

impl<'a> Reading<'a> {
    fn start(known: [Option<&'a Known>; 2], now: Timestamp) -> Self {
        let now = now.as_millis();
        let before = known.map(|known| {
            let before = known.map_or(0, |known| known.read_at.load(Relaxed));
            if let (Some(known), 1..) = (known, before) {
                known.read_at.store(now, Relaxed);
            }
            before
        });
        Self { known, before, now }
    }

    fn done(mut self) {
        for known in std::mem::take(&mut self.known).into_iter().flatten() {
            known.read_at.store(self.now, Relaxed);
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        for (known, before) in self.known.iter().zip(self.before) {
            if let Some(known) = known {
                let _ = known.read_at.compare_exchange(self.now, before, Relaxed, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stale: u64, dead: u64) -> Barrier {
        Barrier { stale: Timestamp::from_millis(stale), dead: Timestamp::from_millis(dead) }
    }

    #[test]
    fn a_stamp_lies_behind_what_came_meanwhile_and_not_behind_what_was_there() {
        for (before, after, now, created, store) in [
            (at(0, 0), at(0, 0), 50, 50, true),
            (at(40, 30), at(40, 30), 50, 50, true),
            (at(70, 60), at(70, 60), 50, 70, true),
            (at(40, 30), at(45, 30), 50, 44, true),
            (at(40, 30), at(90, 30), 50, 50, true),
            (at(40, 30), at(40, 45), 50, 44, false),
            (at(40, 30), at(40, 90), 50, 50, false),
            (at(40, 30), at(45, 43), 50, 42, false),
        ] {
            let stamp = before.stamp(after, Timestamp::from_millis(now));
            assert_eq!((stamp.created.as_millis(), stamp.store), (created, store));
            assert_eq!(stamp.overtaken, before != after);
        }
    }
}
