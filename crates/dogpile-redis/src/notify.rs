//! Waking those who wait for a lease to end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who waits for which channel.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    channels: Mutex<HashMap<Box<[u8]>, Arc<Channel>>>,
    /// How many connections were lost.
    lost: AtomicU64,
}

/// One channel, and those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    woken: Notify,
    state: Mutex<State>,
    /// Held while the server is told, so that it is told in order.
    telling: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    waiters: usize,
    heard: Heard,
}

/// Whether the server sends what is published.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Heard {
    #[default]
    No,
    /// It was asked to, and perhaps did not get that.
    Perhaps,
    Yes,
}

impl Notices {
    fn channels(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was published.
    pub(crate) fn heard(&self, channel: &[u8]) {
        let channel = self.channels().get(channel).cloned();
        channel.iter().for_each(|channel| channel.woken.notify_waiters());
    }

    /// The connection is gone, and with it what was subscribed: everybody looks for himself.
    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, SeqCst);
        for channel in self.channels().values() {
            channel.state().heard = Heard::No;
            channel.woken.notify_waiters();
        }
    }

    /// Counts one more waiter of a channel.
    pub(crate) fn join(&self, name: &[u8]) -> Arc<Channel> {
        let mut channels = self.channels();
        let channel = match channels.get(name) {
            Some(channel) => Arc::clone(channel),
            None => Arc::clone(channels.entry(name.into()).or_default()),
        };
        channel.state().waiters += 1;
        channel
    }

    /// Counts one waiter less. Answers whether the server should be told that nobody is left.
    pub(crate) fn leave(&self, name: &[u8], channel: &Channel) -> bool {
        let mut channels = self.channels();
        let mut state = channel.state();
        state.waiters -= 1;
        if state.waiters > 0 {
            return false;
        }
        if state.heard == Heard::No {
            channels.remove(name);
            return false;
        }
        true
    }

    /// The server no longer sends what is published. Who waits meanwhile asks for it anew.
    fn unheard(&self, name: &[u8], channel: &Arc<Channel>) {
        let mut channels = self.channels();
        let mut state = channel.state();
        state.heard = Heard::No;
        // Another may have taken its place, after a connection was lost.
        let is_present = channels.get(name).is_some_and(|present| Arc::ptr_eq(present, channel));
        if state.waiters == 0 && is_present {
            channels.remove(name);
        }
    }
}

impl Channel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when something is published after this call.
    pub(crate) fn woken(&self) -> tokio::sync::futures::Notified<'_> {
        self.woken.notified()
    }
}

pub(crate) use hearing::{Listening, listen};

mod hearing {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::SeqCst;

    use dogpile_core::Result;

    use super::{Channel, Heard};
    use crate::link::Link;

    /// A waiter of a channel, for as long as it is kept.
    pub(crate) struct Listening {
        link: Arc<dyn Link>,
        name: Box<[u8]>,
        pub(crate) channel: Arc<Channel>,
    }

    /// Becomes a waiter of a channel; `None` where there are no messages.
    pub(crate) fn listen(link: &Arc<dyn Link>, name: &[u8]) -> Option<Listening> {
        let channel = link.messages()?.notices.join(name);
        Some(Listening { link: Arc::clone(link), name: name.into(), channel })
    }

    impl Listening {
        /// Sees to it that the server sends what is published. Answers whether it had to be asked.
        pub(crate) async fn begin(&self) -> Result<bool> {
            if self.channel.state().heard == Heard::Yes {
                return Ok(false);
            }
            let _telling = self.channel.telling.lock().await;
            if self.channel.state().heard == Heard::Yes {
                return Ok(false);
            }
            let Some(messages) = self.link.messages() else { return Ok(false) };
            self.channel.state().heard = Heard::Perhaps;
            let lost = messages.notices.lost.load(SeqCst);
            messages.hearing.subscribe(&self.name).await?;
            let mut state = self.channel.state();
            if messages.notices.lost.load(SeqCst) == lost {
                state.heard = Heard::Yes;
            }
            Ok(true)
        }
    }

    impl Drop for Listening {
        fn drop(&mut self) {
            let Some(messages) = self.link.messages() else { return };
            if !messages.notices.leave(&self.name, &self.channel) {
                return;
            }
            // Without a runtime the channel stays heard, and the next waiter finds it so.
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            let (link, name) = (Arc::clone(&self.link), std::mem::take(&mut self.name));
            let channel = Arc::clone(&self.channel);
            runtime.spawn(async move { end(&*link, &name, &channel).await });
        }
    }

    /// Tells the server that nobody is left, if that is still so.
    async fn end(link: &dyn Link, name: &[u8], channel: &Arc<Channel>) {
        let _telling = channel.telling.lock().await;
        let is_heard = {
            let mut state = channel.state();
            if state.waiters > 0 {
                return;
            }
            std::mem::replace(&mut state.heard, Heard::Perhaps) != Heard::No
        };
        let Some(messages) = link.messages() else { return };
        if is_heard {
            // If it cannot be told, the connection is gone, and with it what was subscribed.
            let _ = messages.hearing.unsubscribe(name).await;
        }
        messages.notices.unheard(name, channel);
    }
}

#[cfg(test)]
mod tests {
    use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
    use redis::{Cmd, Pipeline, Value};

    use super::*;
    use crate::link::{Hearing, Line, Link, Messages, Resend};

    /// A link that hears whatever it is asked to, until its server is gone.
    #[derive(Debug, Default)]
    struct Faltering {
        notices: Notices,
        gone: std::sync::atomic::AtomicBool,
    }

    impl Link for Faltering {
        fn part_of(&self, _: &[u8]) -> usize {
            0
        }

        fn gathers(&self) -> Option<&Arc<Line>> {
            None
        }

        fn send(&self, _: Cmd, _: Resend) -> BoxFuture<'_, Result<Value>> {
            Box::pin(async { Ok(Value::Nil) })
        }

        fn send_many<'a>(
            &'a self,
            _: &'a Pipeline,
            _: Resend,
        ) -> BoxFuture<'a, Result<Vec<Value>>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn publish(&self) -> &'static str {
            "PUBLISH"
        }

        fn messages(&self) -> Option<Messages<'_>> {
            Some(Messages { notices: &self.notices, hearing: self })
        }
    }

    impl Hearing for Faltering {
        fn subscribe<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<()>> {
            Box::pin(async { Ok(()) })
        }

        fn unsubscribe<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<()>> {
            Box::pin(async {
                match self.gone.load(SeqCst) {
                    true => Err(Error::new(ErrorKind::Unavailable, "gone")),
                    false => Ok(()),
                }
            })
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_channels_that_nobody_waits_for() {
        for gone in [false, true] {
            let link = Arc::new(Faltering::default());
            let all: Arc<dyn Link> = Arc::<Faltering>::clone(&link);
            for at in 0..10_u8 {
                let listening = listen(&all, &[at]).unwrap();
                assert!(listening.begin().await.unwrap());
                link.gone.store(gone, SeqCst);
            }
            while Arc::strong_count(&link) > 2 {
                tokio::task::yield_now().await;
            }
            assert_eq!(link.notices.channels().len(), 0, "gone: {gone}");
        }
    }
}
