//! One `get_or_create` from the command line. Run it many times at once, and it is a stampede.
//!
//! ```sh
//! for i in 1 2 3 4; do
//!     cargo run --release --example once -p dogpile-memcached -- --key page --value text --sleep-ms 500 &
//! done; wait
//! ```
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::{Event, Observe, Region};
use dogpile_core::{Codec, Error, ErrorKind, Key, KeyBuf, Result};
use dogpile_lock::Dogpile;
use dogpile_memcached::{Connect, Memcached, Protocol};
use shard_ring::{Ketama, Profile, Ring};

const HELP: &str = "\
Gets a value from memcached, or creates it, and prints one line of JSON:
value, outcome (fresh, stale, created or waited), round_trips, ms.

  --servers A,B,C       one server or a fleet, placed as libmemcached does [127.0.0.1:11211]
  --key KEY             a plain key, or
  --group G --field F   a field of a group
  --value TEXT          the value to create [text]
  --sleep-ms N          how long its creation takes [0]
  --expires-ms N        how long a value is fresh [for ever]
  --lease-ms N          how long a creator's turn lasts after its last heartbeat [5000]
  --protocol P          meta or classic [meta where the server has it]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("{what}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match once(options).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

async fn once(options: Options) -> Result<serde_json::Value> {
    let memcached = connect(&options).await?;
    let seen = Arc::<Seen>::default();
    let mut region = Region::new(Dogpile::leased(memcached.clone()), Text)
        .with_lease_for(options.lease)
        .with_observer(seen.clone());
    if let Some(expires) = options.expires {
        region = region.expires_after(expires);
    }
    let (before, began) = (round_trips(&memcached), Instant::now());
    let value: String = region
        .get_or_create(options.key, || async {
            tokio::time::sleep(options.sleep).await;
            Ok::<_, Error>(options.value)
        })
        .await?;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    Ok(serde_json::json!({
        "value": value,
        "outcome": seen.outcome(),
        "round_trips": round_trips(&memcached) - before,
        "ms": (ms * 1000.0).round() / 1000.0,
    }))
}

async fn connect(options: &Options) -> Result<Memcached> {
    let mut connect = Connect::new();
    if let Some(protocol) = options.protocol {
        connect = connect.with_protocol(protocol);
    }
    if let [server] = &options.servers[..] {
        return Memcached::connect_with(server, connect).await;
    }
    let nodes = options.servers.iter().map(|server| (server.as_str(), ()));
    let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes)
        .map_err(|error| Error::new(ErrorKind::Refused, error.to_string()))?;
    Memcached::connect_fleet(&options.servers, ring, connect).await
}

fn round_trips(memcached: &Memcached) -> u64 {
    memcached.stats().iter().map(|server| server.round_trips).sum()
}

/// What became of the call, as the region tells it.
#[derive(Debug, Default)]
struct Seen(Mutex<&'static str>);

impl Seen {
    fn outcome(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observe for Seen {
    fn event(&self, _: Key<'_>, event: Event<'_>) {
        let outcome = match event {
            Event::Hit => "fresh",
            Event::Stale => "stale",
            Event::Created { .. } => "created",
            Event::Waited { .. } => "waited",
            _ => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }
}

/// Text as it is.
#[derive(Debug)]
struct Text;

impl Codec<String> for Text {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        "text"
    }

    fn encode(&self, value: &String) -> Result<Bytes> {
        Ok(value.clone().into())
    }

    fn decode(&self, stored: &Bytes) -> Result<String> {
        String::from_utf8(stored.to_vec()).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the value is no text").with_source(error)
        })
    }
}

struct Options {
    servers: Vec<String>,
    key: KeyBuf,
    value: String,
    sleep: Duration,
    expires: Option<Duration>,
    lease: Duration,
    protocol: Option<Protocol>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            servers: vec!["127.0.0.1:11211".to_owned()],
            key: Key::name("").into(),
            value: "text".to_owned(),
            sleep: Duration::ZERO,
            expires: None,
            lease: Duration::from_secs(5),
            protocol: None,
        };
        let (mut key, mut group, mut field) = (None, None, None);
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &**name {
                "--servers" => options.servers = value.split(',').map(str::to_owned).collect(),
                "--key" => key = Some(value),
                "--group" => group = Some(value),
                "--field" => field = Some(value),
                "--value" => options.value = value.clone(),
                "--sleep-ms" => options.sleep = millis(name, value)?,
                "--expires-ms" => options.expires = Some(millis(name, value)?),
                "--lease-ms" => options.lease = millis(name, value)?,
                "--protocol" => options.protocol = Some(protocol(value)?),
                _ => return Err(format!("there is no option {name}")),
            }
        }
        options.key = match (key, group, field) {
            (Some(key), None, None) => Key::name(key).into(),
            (None, Some(group), Some(field)) => Key::field(group, field).into(),
            _ => return Err("give either --key, or --group and --field".to_owned()),
        };
        Ok(options)
    }
}

fn protocol(name: &str) -> Result<Protocol, String> {
    match name {
        "meta" => Ok(Protocol::Meta),
        "classic" => Ok(Protocol::Classic),
        _ => Err(format!("there is no protocol {name}")),
    }
}

fn millis(name: &str, text: &str) -> Result<Duration, String> {
    let millis = text.parse().map_err(|_| format!("{name} takes milliseconds, and not {text}"))?;
    Ok(Duration::from_millis(millis))
}
