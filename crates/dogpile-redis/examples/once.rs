//! One `get_or_create` from the command line. Run it many times at once, and it is a stampede.
//!
//! ```sh
//! for i in 1 2 3 4; do
//!     cargo run --release --example once -p dogpile-redis -- --key page --value text --sleep-ms 500 &
//! done; wait
//! ```
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::codec::Json;
use dogpile_cache::{Event, Observe, Region};
use dogpile_core::{Codec, Error, ErrorKind, Key, KeyBuf, Result};
use dogpile_lock::Dogpile;
use dogpile_redis::{Envelope, GroupExpiry, Redis};

const HELP: &str = "\
Gets a value from Redis, or creates it, and prints one line of JSON:
value, outcome (fresh, stale, created or waited), round_trips, ms.

  --url URL             the server [redis://127.0.0.1/]
  --key KEY             a plain key, or
  --group G --field F   a field of a group
  --value TEXT          the value to create [text]
  --sleep-ms N          how long its creation takes [0]
  --expires-ms N        how long a value is fresh [for ever]
  --envelope E          full, compact, raw or dogpile-cache [full]
  --lock L              native or redis-py [native]";

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
    let mut redis = Redis::connect(&options.url).await?.with_envelope(options.envelope);
    if options.python_locks {
        redis = redis.with_python_locks("_lock");
    }
    if let (true, Some(expires)) = (options.left_to_the_server, options.expires) {
        // A field has no time of its own on every server; its group has.
        let group = GroupExpiry::AfterWrite(expires);
        redis = redis.with_keep_for(expires).with_group_expiry(group);
    }
    let seen = Arc::<Seen>::default();
    let mut region = Region::new(Dogpile::leased(redis.clone()), Form { json: options.is_python })
        .with_version(if options.is_python { 2 } else { 0 })
        .with_observer(seen.clone());
    if let Some(expires) = options.expires {
        region = region.expires_after(expires);
    }
    let (before, began) = (redis.stats().round_trips, Instant::now());
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
        "round_trips": redis.stats().round_trips - before,
        "ms": (ms * 1000.0).round() / 1000.0,
    }))
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

/// Text as it is, or as JSON, which is what Python's region decodes.
#[derive(Debug)]
struct Form {
    json: bool,
}

impl Codec<String> for Form {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        if self.json { "json" } else { "text" }
    }

    fn encode(&self, value: &String) -> Result<Bytes> {
        if self.json { Json.encode(value) } else { Ok(value.clone().into()) }
    }

    fn decode(&self, stored: &Bytes) -> Result<String> {
        if self.json {
            return Json.decode(stored);
        }
        String::from_utf8(stored.to_vec()).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the value is no text").with_source(error)
        })
    }
}

struct Options {
    url: String,
    key: KeyBuf,
    value: String,
    sleep: Duration,
    expires: Option<Duration>,
    envelope: Envelope,
    is_python: bool,
    left_to_the_server: bool,
    python_locks: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            url: "redis://127.0.0.1/".to_owned(),
            key: Key::name("").into(),
            value: "text".to_owned(),
            sleep: Duration::ZERO,
            expires: None,
            envelope: Envelope::full(),
            is_python: false,
            left_to_the_server: false,
            python_locks: false,
        };
        let (mut key, mut group, mut field) = (None, None, None);
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &**name {
                "--url" => options.url = value.clone(),
                "--key" => key = Some(value),
                "--group" => group = Some(value),
                "--field" => field = Some(value),
                "--value" => options.value = value.clone(),
                "--sleep-ms" => options.sleep = millis(name, value)?,
                "--expires-ms" => options.expires = Some(millis(name, value)?),
                "--envelope" => options.set_envelope(value)?,
                "--lock" => options.python_locks = python_locks(value)?,
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

    fn set_envelope(&mut self, name: &str) -> Result<(), String> {
        self.envelope = match name {
            "full" => Envelope::full(),
            "compact" => Envelope::compact(),
            "raw" => Envelope::raw(),
            "dogpile-cache" => Envelope::dogpile_cache(),
            _ => return Err(format!("there is no envelope {name}")),
        };
        self.is_python = name == "dogpile-cache";
        self.left_to_the_server = name == "raw";
        Ok(())
    }
}

fn python_locks(name: &str) -> Result<bool, String> {
    match name {
        "native" => Ok(false),
        "redis-py" => Ok(true),
        _ => Err(format!("there is no lock {name}")),
    }
}

fn millis(name: &str, text: &str) -> Result<Duration, String> {
    let millis = text.parse().map_err(|_| format!("{name} takes milliseconds, and not {text}"))?;
    Ok(Duration::from_millis(millis))
}
