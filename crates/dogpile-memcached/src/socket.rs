//! A stream to a server: TCP, TLS or a Unix socket.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use dogpile_core::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use crate::address::Address;
use crate::connect::Connect;
use crate::error::{refused, unanswered, unavailable};

/// A stream to a server.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(tcp::OwnedReadHalf, Arc<tcp::OwnedWriteHalf>),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf, Arc<unix::OwnedWriteHalf>),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// The same stream for who wants to write at once, without waiting.
#[derive(Debug)]
pub(crate) enum Direct {
    Tcp(Arc<tcp::OwnedWriteHalf>),
    #[cfg(unix)]
    Unix(Arc<unix::OwnedWriteHalf>),
}

impl Direct {
    pub(crate) fn try_write(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, bytes) {
            // The usual request is one piece, for which there is a cheaper call of the system.
            (Self::Tcp(write), [bytes]) => write.try_write(bytes),
            (Self::Tcp(write), _) => write.try_write_vectored(bytes),
            #[cfg(unix)]
            (Self::Unix(write), [bytes]) => write.try_write(bytes),
            #[cfg(unix)]
            (Self::Unix(write), _) => write.try_write_vectored(bytes),
        }
    }
}

impl Socket {
    /// Connects within the time allowed.
    pub(crate) async fn open(address: &Address, options: &Connect) -> Result<Self> {
        let allowed = options.connect_timeout;
        let cannot = |error: io::Error| {
            let what = match is_distrust(&error) {
                true => {
                    refused(format!("the certificate of the server at {address} is not accepted"))
                }
                false => unavailable(format!("the server at {address} cannot be reached")),
            };
            what.with_source(error)
        };
        match tokio::time::timeout(allowed, Self::connected(address, options)).await {
            Ok(socket) => socket.map_err(cannot),
            Err(_) => Err(unanswered(&format!("the server at {address}"), allowed)),
        }
    }

    async fn connected(address: &Address, options: &Connect) -> io::Result<Self> {
        match address {
            #[cfg(unix)]
            Address::Unix(path) => {
                let (read, write) = UnixStream::connect(path).await?.into_split();
                Ok(Self::Unix(read, Arc::new(write)))
            }
            Address::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                if *tls {
                    return Self::secured(stream, host, options).await;
                }
                let (read, write) = stream.into_split();
                Ok(Self::Tcp(read, Arc::new(write)))
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn secured(stream: TcpStream, host: &str, options: &Connect) -> io::Result<Self> {
        let name =
            rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = crate::tls::connector(&options.roots)?;
        Ok(Self::Tls(Box::new(connector.connect(name, stream).await?)))
    }

    #[cfg(not(feature = "tls"))]
    async fn secured(_: TcpStream, _: &str, _: &Connect) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) const fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Self::Tls(_) = self {
            return true;
        }
        false
    }

    /// A way to write at once, where there is one.
    pub(crate) fn direct(&self) -> Option<Direct> {
        match self {
            Self::Tcp(_, write) => Some(Direct::Tcp(Arc::clone(write))),
            #[cfg(unix)]
            Self::Unix(_, write) => Some(Direct::Unix(Arc::clone(write))),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// Reads what there is into the room that `into` has.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(read, _) => pin!(read.read_buf(into)).poll(cx),
            #[cfg(unix)]
            Self::Unix(read, _) => pin!(read.read_buf(into)).poll(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => pin!(stream.read_buf(into)).poll(cx),
        }
    }
}

/// Whether a server was reached, and could not prove who it is.
#[cfg(feature = "tls")]
fn is_distrust(error: &io::Error) -> bool {
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(said, Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(not(feature = "tls"))]
const fn is_distrust(_: &io::Error) -> bool {
    false
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(read, _) => Pin::new(read).poll_read(cx, into),
            #[cfg(unix)]
            Self::Unix(read, _) => Pin::new(read).poll_read(cx, into),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

/// What a shared half writes: attempts, repeated until the answer is another than "not now".
macro_rules! attempt {
    ($write:ident, $cx:ident, $bytes:ident) => {
        loop {
            ready!(AsRef::as_ref(&**$write).poll_write_ready($cx))?;
            match $write.try_write_vectored($bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => break Poll::Ready(done),
            }
        }
    };
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(_, write) => attempt!(write, cx, bytes),
            #[cfg(unix)]
            Self::Unix(_, write) => attempt!(write, cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "only TLS holds bytes back")
    )]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only TLS says goodbye"))]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
