//! The torture table: what whole caches do when creators are slow, fail, panic or are given up.
//!
//! Each scenario is a function that takes any [`Cache`] and measures an [`Outcome`]; nothing panics,
//! whatever the cache does, and every scenario ends. [`run`] runs them all on one [`Contender`], each
//! on a runtime of its own, and [`table`] prints what came out, ours and others' side by side.
//!
//! ```
//! use dogpile_conformance::torture::{self, Cache, Contender, Create, Settings, Value};
//! use dogpile_core::BoxFuture;
//! use std::{sync::Arc, time::Duration};
//!
//! /// A cache that keeps nothing, as a contender that always loses.
//! #[derive(Clone, Copy)]
//! struct Forgetful;
//!
//! impl Cache for Forgetful {
//!     fn get_or_create(&self, _: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
//!         create()
//!     }
//! }
//!
//! impl Contender for Forgetful {
//!     fn name(&self) -> &str {
//!         "forgetful"
//!     }
//!     fn build(&self, expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
//!         expires_after.is_none().then_some(Arc::new(*self))
//!     }
//! }
//!
//! let mut settings = Settings::default();
//! settings.tasks = 10;
//! settings.creator = Duration::from_millis(5);
//! let outcomes = torture::run_some(&Forgetful, &settings, &["one_missing_key", "one_expired_key"]);
//! assert_eq!(outcomes.len(), 1, "it knows no expiry");
//! assert_eq!(outcomes[0].creations, 10);
//! println!("{}", torture::table(&outcomes));
//! ```

mod expiry;
mod failure;
mod flight;
mod ledger;
mod load;
mod outcome;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use dogpile_core::BoxFuture;

pub use self::expiry::*;
pub use self::failure::*;
pub use self::flight::*;
pub use self::load::*;
pub use self::outcome::*;

/// What the caches keep here.
pub type Value = Arc<[u8]>;

/// The function that creates a value. It is called at most once.
pub type Create = Box<dyn FnOnce() -> BoxFuture<'static, Result<Value, String>> + Send>;

/// A cache under torture. Write an adapter of a few lines for each.
pub trait Cache: Send + Sync + 'static {
    /// The value of a key, created if it is missing or expired.
    ///
    /// Errors are the text of whatever error the cache hands out.
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>>;

    /// The same with an error type of its own for each `error_type` (0, 1 or 2): the caches that keep
    /// apart what callers with different error types create answer it differently. `None` where the
    /// API has one error type.
    fn get_or_create_as(
        &self,
        error_type: usize,
        key: String,
        create: Create,
    ) -> Option<BoxFuture<'_, Result<Value, String>>> {
        let _ = (error_type, key, create);
        None
    }
}

/// Builds one cache of a kind for each scenario.
pub trait Contender {
    /// The name in the table.
    fn name(&self) -> &str;

    /// An empty cache with room for all that a scenario asks for (10,000 entries), whose entries
    /// expire this long after their creation, or never. `None` where it cannot. It is called on the
    /// scenario's runtime.
    fn build(&self, expires_after: Option<Duration>) -> Option<Arc<dyn Cache>>;
}

/// How many and how long. The default is that of the published table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Callers at once where there are many. 1,000.
    pub tasks: usize,
    /// Callers of a creator that fails. 100.
    pub failing_tasks: usize,
    /// Different keys at once. 200.
    pub keys: usize,
    /// How long a creator takes. 50 ms.
    pub creator: Duration,
    /// When the first caller is cancelled. 10 ms.
    pub cancel_after: Duration,
    /// How long a caller in the storm waits. 20 ms.
    pub patience: Duration,
    /// Over what time the calls of the storm are spread. 200 ms.
    pub storm: Duration,
    /// How long entries live where they expire. 200 ms.
    pub expires_after: Duration,
    /// Readers of a key that expires. 64.
    pub readers: usize,
    /// How long they read. 3 s.
    pub read_for: Duration,
    /// How long a hot key is read while others load. 500 ms.
    pub hot_for: Duration,
    /// From when on a read counts as slow. 5 ms.
    pub slow: Duration,
    /// From when on a caller counts as hung. 8 s.
    pub hung_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tasks: 1_000,
            failing_tasks: 100,
            keys: 200,
            creator: Duration::from_millis(50),
            cancel_after: Duration::from_millis(10),
            patience: Duration::from_millis(20),
            storm: Duration::from_millis(200),
            expires_after: Duration::from_millis(200),
            readers: 64,
            read_for: Duration::from_secs(3),
            hot_for: Duration::from_millis(500),
            slow: Duration::from_millis(5),
            hung_after: Duration::from_secs(8),
        }
    }
}

/// The names of the scenarios, in the order of the table.
pub const SCENARIOS: &[&str] = &[
    "one_missing_key",
    "leader_cancelled",
    "leader_panics",
    "creator_fails",
    "distinct_keys",
    "hot_key_while_others_load",
    "recursion",
    "different_error_types",
    "storm",
    "expiry_stalls",
    "one_expired_key",
];

/// Runs every scenario that the contender can take part in.
#[must_use]
pub fn run(
    contender: &(impl Contender + Clone + Send + 'static),
    settings: &Settings,
) -> Vec<Outcome> {
    run_some(contender, settings, SCENARIOS)
}

/// Runs the scenarios with these names, each on a thread and a runtime of its own with two workers, so
/// that a cache that blocks its threads for ever spoils no other scenario.
#[must_use]
pub fn run_some(
    contender: &(impl Contender + Clone + Send + 'static),
    settings: &Settings,
    scenarios: &[&str],
) -> Vec<Outcome> {
    let known = SCENARIOS.iter().copied().filter(|name| scenarios.contains(name));
    known.filter_map(|scenario| isolated(contender.clone(), settings.clone(), scenario)).collect()
}

fn isolated(
    contender: impl Contender + Send + 'static,
    settings: Settings,
    scenario: &'static str,
) -> Option<Outcome> {
    let name = contender.name().to_owned();
    let at_most = settings.hung_after * 2 + settings.read_for + settings.storm;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .ok()?;
        let outcome = runtime.block_on(async {
            let expires = matches!(scenario, "expiry_stalls" | "one_expired_key");
            let cache = contender.build(expires.then_some(settings.expires_after))?;
            one(scenario, cache, &settings).await
        });
        // Nobody listens any more if it took too long.
        let _ = tell.send(outcome);
        runtime.shutdown_background();
        Some(())
    });
    let outcome = match told.recv_timeout(at_most) {
        Ok(outcome) => outcome?,
        Err(_) => Outcome::all_hung(scenario),
    };
    Some(outcome.of(name))
}

async fn one(scenario: &str, cache: Arc<dyn Cache>, settings: &Settings) -> Option<Outcome> {
    match scenario {
        "one_missing_key" => Some(one_missing_key(cache, settings).await),
        "leader_cancelled" => Some(leader_cancelled(cache, settings).await),
        "leader_panics" => Some(leader_panics(cache, settings).await),
        "creator_fails" => Some(creator_fails(cache, settings).await),
        "distinct_keys" => Some(distinct_keys(cache, settings).await),
        "hot_key_while_others_load" => Some(hot_key_while_others_load(cache, settings).await),
        "recursion" => Some(recursion(cache, settings).await),
        "different_error_types" => different_error_types(cache, settings).await,
        "storm" => Some(storm(cache, settings).await),
        "expiry_stalls" => Some(expiry_stalls(cache, settings).await),
        _ => Some(one_expired_key(cache, settings).await),
    }
}
