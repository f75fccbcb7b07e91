//! A lock for the processes of one machine, kept in a folder.

mod holds;
mod owner;
mod stripe;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dogpile_core::{Error, ErrorKind, Held, Key, Lease, Lock, Result};

use self::holds::{Hold, Holds};
use self::owner::Owner;
use self::stripe::Stripe;
use crate::timer;

/// A lock per key for all processes of one machine that name the same folder.
///
/// The folder holds 64 small tables of who holds what (`00.holds` to `3f.holds`), each guarded by an
/// advisory lock of the operating system for the microseconds of a change, and one empty
/// `*.owner` file for each process, locked as long as it lives. So:
///
/// - a process that is killed gives its turns back at once: the system unlocks its owner file;
/// - a holder that hangs gives its turn back when its lease ends;
/// - a late holder finds its lease gone, because each grant has a random token;
/// - the number of files does not grow with the keys ever seen.
///
/// Waiting is polling, from 1 ms to 20 ms apart with jitter. In one process only one task polls for
/// a key if the lock is behind a [`Dogpile`](crate::Dogpile).
///
/// The folder has to be on a file system of this machine, where `flock` works and is released when a
/// process dies; network file systems differ in both. Nothing in the folder is worth keeping: when
/// no process uses it, it may be removed.
///
/// ```
/// use dogpile_core::{Held, Key, Lock};
/// use dogpile_lock::FileLock;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let lock = FileLock::open(folder.path())?;
/// let key = Key::name("report");
///
/// let lease = lock.try_lock(key, Duration::from_secs(5)).await?.expect("nobody has it");
/// assert!(FileLock::open(folder.path())?.is_locked(key).await?);
/// assert_eq!(lock.unlock(key, lease).await?, Held::Kept);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileLock(Arc<Folder>);

struct Folder {
    path: PathBuf,
    owner: Owner,
}

/// How long to try for the guard of a table, which is held for microseconds: longer means that its
/// holder was stopped in the middle of it.
const GUARD_WAIT: Duration = Duration::from_secs(2);
/// And how often: on a machine that is too busy, long is soon over, and means nothing.
const GUARD_TRIES: u32 = 200;

impl FileLock {
    /// The lock kept in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if the folder cannot be made or written to.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().to_path_buf();
        let unusable = |error: io::Error| {
            let what = format!(
                "cannot keep locks in {}: make it a folder this user may write to",
                path.display()
            );
            Error::new(ErrorKind::Refused, what).with_source(error)
        };
        std::fs::create_dir_all(&path).map_err(unusable)?;
        Owner::remove_dead(&path);
        let owner = Owner::new(&path).map_err(unusable)?;
        Ok(Self(Arc::new(Folder { path, owner })))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Changes the table of a key under its guard.
    async fn change<T>(&self, key: Key<'_>, change: impl FnOnce(&mut Holds) -> T) -> Result<T> {
        self.change_stripe(Stripe::of(&self.0.path, key), change).await
    }

    async fn change_stripe<T>(
        &self,
        stripe: Stripe,
        change: impl FnOnce(&mut Holds) -> T,
    ) -> Result<T> {
        let (started, mut tries) = (Instant::now(), 0);
        let mut guard = loop {
            tries += 1;
            match stripe.try_guard() {
                Ok(Some(guard)) => break guard,
                Ok(None) if started.elapsed() > GUARD_WAIT && tries > GUARD_TRIES => {
                    let what = format!(
                        "the lock table {} is held by a process that does not go on",
                        stripe.display()
                    );
                    return Err(Error::new(ErrorKind::TimedOut, what));
                }
                Ok(None) => pause(Duration::from_micros(200)).await,
                Err(error) => return Err(unavailable(&stripe, error)),
            }
        };
        let mut holds = guard.read().map_err(|error| unavailable(&stripe, error))?;
        let before = holds.clone();
        let outcome = change(&mut holds);
        if holds != before {
            guard.write(&holds).map_err(|error| unavailable(&stripe, error))?;
        }
        Ok(outcome)
    }

    fn is_held(&self, hold: &Hold, now: u64) -> bool {
        !hold.has_ended(now) && Owner::is_alive(&self.0.path, hold.owner)
    }
}

impl Lock for FileLock {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        let lease = Lease::new(owner::random());
        self.change(key, |holds| {
            let now = now();
            if holds.find(key).is_some_and(|present| self.is_held(present, now)) {
                return None;
            }
            holds.remove_ended(now);
            holds.put(Hold::new(key, lease, self.0.owner.id(), now, lease_for));
            Some(lease)
        })
        .await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.change(key, |holds| match holds.find_mut(key) {
            Some(hold) if hold.lease == lease && !hold.has_ended(now()) => {
                hold.extend(now(), lease_for);
                Held::Kept
            }
            _ => Held::Lost,
        })
        .await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.change(key, |holds| match holds.find(key) {
            Some(hold) if hold.lease == lease => {
                let ended = hold.has_ended(now());
                holds.remove(key);
                if ended { Held::Lost } else { Held::Kept }
            }
            _ => Held::Lost,
        })
        .await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        for key in keys {
            self.change(*key, |holds| holds.remove(*key)).await?;
        }
        Ok(())
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        for stripe in Stripe::all(&self.0.path) {
            if stripe.exists() {
                self.change_stripe(stripe, |holds| holds.remove_group(group)).await?;
            }
        }
        Ok(())
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        let stripe = Stripe::of(&self.0.path, key);
        for _ in 0..1_000 {
            match stripe.try_guard() {
                Ok(Some(mut guard)) => {
                    let Ok(mut holds) = guard.read() else { return };
                    if holds.find(key).is_some_and(|hold| hold.lease == lease) {
                        holds.remove(key);
                        // If it cannot be written, the lease ends by itself.
                        let _ = guard.write(&holds);
                    }
                    return;
                }
                Ok(None) => std::thread::yield_now(),
                Err(_) => return,
            }
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let stripe = Stripe::of(&self.0.path, key);
        let started = Instant::now();
        let mut apart = Duration::from_millis(1);
        loop {
            // A table that is not whole may have lost its writer: only its guard tells.
            let Some(holds) = stripe.peek() else { return };
            if !holds.find(key).is_some_and(|hold| self.is_held(hold, now())) {
                return;
            }
            let left = at_most.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            let jitter = apart.mul_f64(0.5 + (owner::random() % 512) as f64 / 1024.0);
            pause(jitter.min(left)).await;
            apart = (apart * 2).min(Duration::from_millis(20));
        }
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        self.change(key, |holds| holds.find(key).is_some_and(|hold| self.is_held(hold, now())))
            .await
    }
}

/// Sleeps in the runtime where there is one, and on the thread where there is none.
async fn pause(d: Duration) {
    if timer::is_available() { timer::sleep(d).await } else { std::thread::sleep(d) }
}

fn unavailable(stripe: &Stripe, error: io::Error) -> Error {
    let what = format!("cannot use the lock table {}", stripe.display());
    Error::new(ErrorKind::Unavailable, what).with_source(error)
}

fn now() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for FileLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileLock").field(&self.0.path).finish()
    }
}
