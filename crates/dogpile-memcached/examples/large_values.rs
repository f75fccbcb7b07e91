//! Values that are larger than a server keeps in one item: refused with both sizes, compressed, split,
//! and never torn.
//!
//! ```sh
//! cargo run --release --example large_values -p dogpile-memcached --features lz4
//! ```
#![expect(clippy::print_stdout, reason = "it is what it is for")]

#[path = "support/mod.rs"]
mod support;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;
use dogpile_core::{Backend, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_memcached::{Compression, Memcached, Split};

use self::support::{Paint, Server};

const HELP: &str = "\
Stores 3 MB of text, and 20 MB that cannot be compressed, on a memcached that keeps 1 MB in one item.

  --server HOST:PORT   a server that is there already [one of its own]";

const MB: usize = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let server = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        ["--server", server] => Some((*server).to_owned()),
        _ => {
            eprintln!("these arguments are not understood: {}\n\n{HELP}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    match tell(server).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(server: Option<String>) -> Result<(), Box<dyn Error>> {
    let own = if server.is_none() { Some(Server::start()?) } else { None };
    let address = server.or(own.as_ref().map(Server::name)).unwrap_or_default();
    let memcached = Memcached::connect(&address).await?;
    let story = Story { memcached, address, paint: Paint::new() };
    let limit = story.memcached.stats().first().and_then(|server| server.item_limit);
    let limit = limit.map_or("an unknown number of".to_owned(), |limit| limit.to_string());
    println!("{} keeps {limit} bytes in one item\n", story.paint.bold(&story.address));

    let text = Bytes::from(
        "It was a bright cold day in April, and the clocks were striking.\n".repeat(MB / 20),
    );
    story.store("report", &text, "as it is").await?;
    let story = story.with(|memcached| memcached.with_compression(Compression::lz4()));
    story.store("report", &text, "compressed").await?;

    let noise = noise(20 * MB);
    story.store("video", &noise, "compressed").await?;
    let story = story.with(|memcached| memcached.with_split(Split::new().with_max_size(32 * MB)));
    story.store("video", &noise, "split").await?;
    story.lose_a_part("video").await
}

struct Story {
    memcached: Memcached,
    address: String,
    paint: Paint,
}

impl Story {
    fn with(self, change: impl FnOnce(Memcached) -> Memcached) -> Self {
        Self { memcached: change(self.memcached), ..self }
    }

    /// Stores a value, reads it back, and says what became of it.
    async fn store(&self, name: &str, value: &Bytes, how: &str) -> Result<(), Box<dyn Error>> {
        let paint = self.paint;
        println!("{} {}, {how}", paint.bold(name), megabytes(value.len()));
        let entry = Entry::new(SystemClock.now(), value.clone());
        let began = Instant::now();
        let stored = self.memcached.set_many(&[(Key::name(name), entry)], &SetOptions::new()).await;
        if let Err(error) = stored {
            println!("  {} {error}\n", paint.bad(&format!("{:?}", error.kind())));
            return Ok(());
        }
        let wrote = began.elapsed().as_secs_f64() * 1000.0;
        let began = Instant::now();
        let found = self.memcached.get(Key::name(name)).await?;
        let read = began.elapsed().as_secs_f64() * 1000.0;
        if found.map(|entry| entry.value).as_ref() != Some(value) {
            return Err("it does not come back as it was".into());
        }
        println!(
            "  {} written in {wrote:.1} ms, read back whole in {read:.1} ms",
            paint.good("stored")
        );
        println!("  {}\n", paint.dim(&self.memcached.inspect(Key::name(name)).await?.to_string()));
        Ok(())
    }

    /// Deletes one item of many behind the client's back, as an eviction would.
    async fn lose_a_part(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let mut parts = self.items()?;
        parts.retain(|item| item.starts_with("~p"));
        let lost = parts.get(parts.len() / 2).ok_or("there are no parts")?;
        println!("{} one of its {} parts is lost", self.paint.bold(name), parts.len());
        self.ask(&format!("delete {lost}"))?;
        match self.memcached.get(Key::name(name)).await? {
            None => println!(
                "  {}: it is created again, and never served torn",
                self.paint.good("missing")
            ),
            Some(_) => return Err("a value was served of which a part is lost".into()),
        }
        Ok(())
    }

    /// The names of all items, as the server lists them.
    fn items(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let lines = self.ask("lru_crawler metadump all")?;
        let key =
            |line: String| Some(line.strip_prefix("key=")?.split(' ').next()?.replace("%7E", "~"));
        Ok(lines.into_iter().filter_map(key).collect())
    }

    /// A command by hand, and the lines of its answer.
    fn ask(&self, command: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "{command}\r\n")?;
        let mut lines = Vec::new();
        for line in BufReader::new(stream).lines() {
            let line = line?;
            if matches!(line.as_str(), "END" | "DELETED" | "NOT_FOUND") {
                break;
            }
            lines.push(line);
        }
        Ok(lines)
    }
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / MB as f64)
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..length / 8).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect::<Vec<u8>>().into()
}
