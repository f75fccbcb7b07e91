//! A server in a thread of its own, and who asks it.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use axum::extract::Request;
use axum::response::Response;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_service::Service;

use super::session_axum::HELLO;

const CONNECTIONS: usize = 32;
/// How often a round asks on each connection.
const REQUESTS: usize = 20;

/// The connections to a server, which ends with them.
pub(super) struct Client {
    connections: Vec<TcpStream>,
    request: String,
    answer: Vec<u8>,
    _stop: oneshot::Sender<()>,
}

impl Client {
    pub(super) fn of<M, S>(make: M, cookie: &str) -> Result<Self, Box<dyn Error>>
    where
        M: for<'a> Service<
                IncomingStream<'a, TcpListener>,
                Error = Infallible,
                Response = S,
                Future: Send,
            > + Send
            + 'static,
        S: Service<Request, Response = Response, Error = Infallible, Future: Send>,
        S: Clone + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let address = serve(make, stopped)?;
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Ok(Self {
            connections: (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?,
            request: format!("GET / HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n"),
            answer: Vec::new(),
            _stop: stop,
        })
    }

    pub(super) fn round(&mut self) -> u64 {
        for _ in 0..REQUESTS {
            self.ask().unwrap_or_else(|error| panic!("the server hung up: {error}"));
        }
        (CONNECTIONS * REQUESTS) as u64
    }

    /// On all connections, and only then reads what comes.
    fn ask(&mut self) -> io::Result<()> {
        for connection in &mut self.connections {
            connection.write_all(self.request.as_bytes())?;
        }
        for connection in &mut self.connections {
            self.answer.clear();
            while !self.answer.ends_with(HELLO.as_bytes()) {
                let mut part = [0; 4096];
                match connection.read(&mut part)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => self.answer.extend_from_slice(&part[..length]),
                }
            }
        }
        Ok(())
    }
}

fn serve<M, S>(make: M, stopped: oneshot::Receiver<()>) -> Result<SocketAddr, Box<dyn Error>>
where
    M: for<'a> Service<
            IncomingStream<'a, TcpListener>,
            Error = Infallible,
            Response = S,
            Future: Send,
        > + Send
        + 'static,
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let stopped = async { _ = stopped.await };
            axum::serve(listener, make).with_graceful_shutdown(stopped).await
        })
    });
    Ok(address)
}
