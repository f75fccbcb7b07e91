//! Who is here: a session in an encrypted cookie, which the server can end.

use axum::Json;
use axum::extract::Form;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{
    Attributes, Flash, KeyRing, Result, RootKey, Session, SessionOptions, Sessions,
};
use serde::{Deserialize, Serialize};

const LONGEST: usize = 40;

/// What a page shows of its visitor.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Visitor {
    pub(crate) user: Option<String>,
    pub(crate) basket: u32,
    pub(crate) messages: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    user: String,
}

/// The sessions of a shop at this port. Cookies do not know ports, so the name tells them apart.
pub(crate) fn sessions(port: u16) -> Result<Sessions> {
    let options = SessionOptions::new()
        .with_cookie(Attributes::insecure_for_development(&format!("shop-{port}"))?)
        .with_audience("dogpile-demo")
        .with_generations(Generations::per_session(MemoryStore::new()));
    Sessions::new(KeyRing::new(RootKey::generate()?), options)
}

pub(crate) fn visitor(session: &Session) -> Result<Visitor> {
    Ok(Visitor {
        user: session.user(),
        basket: session.get("basket")?.unwrap_or(0),
        messages: session.take_flashes().iter().map(|flash| flash.text().to_owned()).collect(),
    })
}

/// `GET /account`.
pub(crate) async fn account(session: Session) -> Result<Json<Visitor>> {
    visitor(&session).map(Json)
}

/// `POST /login`. Nobody is asked for a password here: that is what a real shop does first.
pub(crate) async fn log_in(
    session: Session,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Result<Response> {
    let user = form.user.trim();
    if user.is_empty() || user.len() > LONGEST {
        let what = "a visitor needs a name, of at most 40 bytes\n";
        return Ok((StatusCode::BAD_REQUEST, what).into_response());
    }
    session.log_in(user)?;
    session.flash(Flash::new("success", format!("Welcome, {user}.")))?;
    Ok(back(&headers).into_response())
}

/// `POST /basket`.
pub(crate) async fn add(session: Session, headers: HeaderMap) -> Result<Redirect> {
    let basket = session.get::<u32>("basket")?.unwrap_or(0);
    session.insert("basket", &basket.saturating_add(1))?;
    Ok(back(&headers))
}

/// `POST /logout`: this session ends, and every copy of its cookie.
pub(crate) async fn log_out(session: Session, headers: HeaderMap) -> Redirect {
    session.destroy();
    back(&headers)
}

/// `POST /logout-everywhere`: every session of this user ends, on all devices.
pub(crate) async fn log_out_everywhere(session: Session, headers: HeaderMap) -> Result<Redirect> {
    if session.user().is_some() {
        session.log_out_everywhere()?;
    }
    Ok(back(&headers))
}

/// To where the form was, which is a page of ours or else the front page.
fn back(headers: &HeaderMap) -> Redirect {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let page = text(header::REFERER).zip(text(header::HOST)).and_then(|(referer, host)| {
        referer.strip_prefix("http://")?.strip_prefix(host).filter(|path| path.starts_with('/'))
    });
    // Two slashes would lead to another server.
    Redirect::to(page.filter(|path| !path.starts_with("//")).unwrap_or("/"))
}
