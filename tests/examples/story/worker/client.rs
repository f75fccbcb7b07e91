//! The way to the database: one connection, many queries under way.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::asked::Asked;

/// The database did not answer.
#[derive(Debug)]
pub(crate) struct Away;

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is away")
    }
}

impl std::error::Error for Away {}

/// Clones use the same connection.
#[derive(Clone)]
pub(crate) struct Client {
    waiting: Arc<Mutex<Waiting>>,
    send: mpsc::UnboundedSender<String>,
    asked: Arc<Asked>,
}

#[derive(Default)]
struct Waiting {
    queries: u64,
    answers: HashMap<u64, oneshot::Sender<String>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, asked: Arc<Asked>) -> std::io::Result<Self> {
        let (read, mut write) = TcpStream::connect(address).await?.into_split();
        let (send, mut queries) = mpsc::unbounded_channel::<String>();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        tokio::spawn(async move {
            while let Some(mut lines) = queries.recv().await {
                while let Ok(line) = queries.try_recv() {
                    lines.push_str(&line);
                }
                if write.write_all(lines.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let answers = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let (id, row) = line.split_once(' ').unwrap_or_default();
                let waiter = id.parse().ok().and_then(|id| locked(&answers).answers.remove(&id));
                waiter.into_iter().for_each(|waiter| _ = waiter.send(row.to_owned()));
            }
            locked(&answers).answers.clear();
        });
        Ok(Self { waiting, send, asked })
    }

    /// The row of a product.
    pub(crate) async fn product(&self, product: u64) -> Result<String, Away> {
        let (answer, row) = oneshot::channel();
        let id = {
            let mut waiting = locked(&self.waiting);
            waiting.queries += 1;
            let id = waiting.queries;
            waiting.answers.insert(id, answer);
            id
        };
        let _ = self.send.send(format!("{id} {product}\n"));
        self.asked.query();
        let row = row.await;
        self.asked.query_answered();
        row.ok().filter(|row| !row.is_empty()).ok_or(Away)
    }
}

fn locked(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
