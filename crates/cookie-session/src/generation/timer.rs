//! How long a store may take.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};

/// What ends an operation that takes too long: a way to sleep.
///
/// A session library has no business to start a runtime, so it sleeps in yours. With the feature
/// `tokio` (which the faces turn on) that is tokio, and nothing need be said.
#[derive(Clone)]
pub struct Timer(Sleeper);

#[derive(Clone)]
enum Sleeper {
    None,
    #[cfg(feature = "tokio")]
    Tokio,
    Yours(Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>),
}

impl Timer {
    /// Sleeps by this function.
    ///
    /// ```
    /// use cookie_session::generation::Timer;
    ///
    /// let timer = Timer::new(|d| Box::pin(tokio::time::sleep(d)));
    /// ```
    pub fn new(sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Sleeper::Yours(Arc::new(sleep)))
    }

    /// Ends nothing: for a store that cannot hang, or ends its operations itself.
    #[must_use]
    pub fn none() -> Self {
        Self(Sleeper::None)
    }

    /// Sleeps in the tokio runtime that runs the request. Outside of one it ends nothing.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn tokio() -> Self {
        Self(Sleeper::Tokio)
    }

    /// The one that needs not be named, if there is one.
    pub(crate) fn usual() -> Option<Self> {
        #[cfg(feature = "tokio")]
        return Some(Self::tokio());
        #[cfg(not(feature = "tokio"))]
        None
    }

    /// What `future` answers, if it does within `limit`. A timer is set only if there is something to
    /// wait for.
    pub(crate) async fn limit<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut future = pin!(future);
        let mut sleep: Option<Option<BoxFuture<'static, ()>>> = None;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = future.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            let sleep = sleep.get_or_insert_with(|| self.sleep(limit));
            match sleep.as_mut().map(|sleep| Pin::new(sleep).poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Err(Error::new(
                    ErrorKind::TimedOut,
                    format!("the generation store did not answer within {limit:?}"),
                ))),
                _ => Poll::Pending,
            }
        })
        .await
    }

    fn sleep(&self, d: Duration) -> Option<BoxFuture<'static, ()>> {
        match &self.0 {
            Sleeper::None => None,
            #[cfg(feature = "tokio")]
            Sleeper::Tokio => match tokio::runtime::Handle::try_current() {
                Ok(_) => Some(Box::pin(tokio::time::sleep(d))),
                Err(_) => None,
            },
            Sleeper::Yours(sleep) => Some(sleep(d)),
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Sleeper::None => "Timer::none()",
            #[cfg(feature = "tokio")]
            Sleeper::Tokio => "Timer::tokio()",
            Sleeper::Yours(_) => "Timer",
        })
    }
}
