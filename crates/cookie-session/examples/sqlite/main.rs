//! Sessions that a database can end, without a web framework: header text in, header text out.
//!
//! `cargo run --example sqlite --features tokio`

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

mod store;

use cookie_session::generation::Generations;
use cookie_session::{KeyRing, Result, RootKey, SessionOptions, Sessions};

use crate::store::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("sessions-{}.db", std::process::id()));
    // A real program reads its keys with KeyRing::from_file.
    let keys = KeyRing::new(RootKey::generate()?);

    let cookie = log_in(&keys, &path, "Ada").await?;
    println!("logged in, with a cookie of {} bytes", cookie.len());
    println!("with that cookie comes {:?}", who(&keys, &path, &cookie).await?);
    log_out(&keys, &path, &cookie).await?;
    println!(
        "after the logout comes {:?}, though the cookie is the same",
        who(&keys, &path, &cookie).await?
    );

    std::fs::remove_file(&path)?;
    Ok(())
}

/// As a server does when it starts. What the database knows outlives it.
fn sessions(
    keys: &KeyRing,
    path: &std::path::Path,
) -> Result<Sessions, Box<dyn std::error::Error>> {
    let generations = Generations::monotonic(SqliteStore::open(path)?);
    Ok(Sessions::new(keys.clone(), SessionOptions::new().with_generations(generations))?)
}

async fn log_in(
    keys: &KeyRing,
    path: &std::path::Path,
    user: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let request = sessions(keys, path)?.request(None::<String>);
    request.session().await?.log_in(user)?;
    let headers = request.commit().await?;
    let cookie = headers.set_cookie().first().ok_or("a login sets a cookie")?;
    // What a browser sends back is what comes before the attributes.
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

async fn who(
    keys: &KeyRing,
    path: &std::path::Path,
    cookie: &str,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let request = sessions(keys, path)?.request(cookie.to_owned());
    Ok(request.session().await?.user())
}

async fn log_out(
    keys: &KeyRing,
    path: &std::path::Path,
    cookie: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let request = sessions(keys, path)?.request(cookie.to_owned());
    request.session().await?.destroy();
    request.commit().await?;
    Ok(())
}
