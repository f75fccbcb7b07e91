//! A stream that tells whether it was ended while nobody read from it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pool::BoxStream;

/// A handle of a stream; `memcache-async` has another, and does not give it back.
#[derive(Clone)]
pub(super) struct Watched(Arc<Mutex<BoxStream>>);

impl Watched {
    pub(super) fn new(stream: BoxStream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Whether the other side has said nothing: neither what nobody asked, nor that it has gone.
    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut **self.lock()).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    fn lock(&self) -> MutexGuard<'_, BoxStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_shutdown(cx)
    }
}
