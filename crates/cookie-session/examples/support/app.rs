//! What the routes do, for whichever framework calls them.

use std::net::SocketAddr;

use cookie_session::{ErrorKind, Flash, Result, Session, Sessions};
use serde::{Deserialize, Serialize};

/// The form of `POST /login`.
#[derive(Debug, Deserialize)]
pub struct Login {
    user: String,
}

/// The form of `POST /form`.
#[derive(Debug, Deserialize)]
pub struct Note {
    #[serde(default)]
    note: String,
    #[serde(default)]
    csrf_token: String,
}

/// What the session holds.
#[derive(Debug, Serialize)]
pub struct View {
    pub user: Option<String>,
    pub count: u64,
    pub note: Option<String>,
    /// Milliseconds since 1970.
    pub authenticated_at: Option<u64>,
    /// For the header or form field of the next `POST /form`. Without a session there is none, so that
    /// to look at one does not begin one.
    pub csrf_token: Option<String>,
}

/// Where the answer to a form leads.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    Home,
    /// The form is not acceptable: 400, with this text.
    Refused(&'static str),
    /// The server was started without a store: 501, with this text.
    NotHere(&'static str),
}

const LONGEST: usize = 200;

pub fn view(session: &Session) -> Result<View> {
    Ok(View {
        user: session.user(),
        count: session.get("count")?.unwrap_or(0),
        note: session.get("note")?,
        authenticated_at: session.authenticated_at().map(|at| at.as_millis()),
        csrf_token: if session.is_new() { None } else { Some(session.csrf_token()?) },
    })
}

/// Nobody is asked for a password here: that is what an application does before it calls `log_in`.
pub fn log_in(session: &Session, form: &Login) -> Result<Next> {
    let user = form.user.trim();
    if user.is_empty() || user.len() > LONGEST {
        return Ok(Next::Refused("a user needs a name, of at most 200 bytes\n"));
    }
    session.log_in(user)?;
    session.flash(Flash::new("success", format!("Welcome, {user}.")))?;
    Ok(Next::Home)
}

pub fn count(session: &Session) -> Result<Next> {
    let count = session.get::<u64>("count")?.unwrap_or(0);
    session.insert("count", &count.saturating_add(1))?;
    Ok(Next::Home)
}

pub fn log_out(session: &Session) -> Next {
    session.destroy();
    Next::Home
}

pub fn log_out_everywhere(session: &Session) -> Result<Next> {
    if session.user().is_none() {
        return Ok(Next::Home);
    }
    match session.log_out_everywhere() {
        Err(error) if error.kind() == ErrorKind::Refused => Ok(Next::NotHere(
            "stateless sessions end when they expire; start the server in another mode\n",
        )),
        done => done.map(|()| Next::Home),
    }
}

/// Only a page of this session knows its token, which comes in the form or in a header.
pub fn note(session: &Session, form: &Note, header: Option<&str>) -> Result<Next> {
    session.check_csrf(header.unwrap_or(&form.csrf_token))?;
    if form.note.len() > LONGEST {
        return Ok(Next::Refused("a note has at most 200 bytes\n"));
    }
    session.insert("note", &form.note)?;
    session.flash(Flash::new("success", "The note is kept."))?;
    Ok(Next::Home)
}

/// Tells where the application is found, and how its sessions are.
pub fn announce(address: SocketAddr, sessions: &Sessions) {
    eprintln!("listening on http://{address}");
    eprintln!("DEVELOPMENT ONLY: cookies go over plain http, for anybody on the way to take");
    eprintln!("{sessions:#?}");
}

/// Tells why it cannot start.
pub fn give_up(error: &dyn std::error::Error) -> std::process::ExitCode {
    eprintln!("error: {error}");
    std::process::ExitCode::FAILURE
}
