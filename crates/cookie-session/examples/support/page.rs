//! The page.

use cookie_session::{Flash, Result, Session};

use super::app::{self, View};

const PAGE: &str = include_str!("page.html");

/// Nothing but the page itself: no script, no other site, no frame around it.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub fn page(session: &Session) -> Result<String> {
    let messages: String = session.take_flashes().iter().map(message).collect();
    let view = app::view(session)?;
    Ok(PAGE
        .replace("{{messages}}", &messages)
        .replace("{{count}}", &view.count.to_string())
        .replace("{{user}}", &user(&view))
        .replace("{{note}}", &note(&view)))
}

fn message(message: &Flash) -> String {
    format!("  <p class=\"message\" role=\"status\">{}</p>\n", escaped(message.text()))
}

fn user(view: &View) -> String {
    let Some(user) = &view.user else { return LOGIN.to_owned() };
    format!(
        r#"  <section>
    <h2>Logged in</h2>
    <p>You are <strong id="user">{}</strong>.</p>
    <div class="row">
      <form class="inline" method="post" action="/logout"><button id="logout">Log out</button></form>
      <form class="inline" method="post" action="/logout-everywhere"><button id="everywhere" class="quiet">Log out everywhere</button></form>
    </div>
  </section>"#,
        escaped(user)
    )
}

const LOGIN: &str = r#"  <section>
    <h2>Log in</h2>
    <form method="post" action="/login">
      <label for="user-name">Name</label>
      <input id="user-name" name="user" placeholder="Your name" maxlength="200" autocomplete="username" required>
      <button id="login">Log in</button>
    </form>
  </section>"#;

/// A form that only this page can send: it carries the token of the session.
fn note(view: &View) -> String {
    let Some(token) = &view.csrf_token else { return String::new() };
    format!(
        r#"  <section>
    <h2>Note</h2>
    <form method="post" action="/form">
      <input type="hidden" name="csrf_token" value="{}">
      <label for="note">Note</label>
      <input id="note" name="note" value="{}" maxlength="200" placeholder="Something to keep">
      <button id="keep">Keep</button>
    </form>
  </section>"#,
        escaped(token),
        escaped(view.note.as_deref().unwrap_or_default())
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A name between braces is not filled in again.
            '{' => out.push_str("&#123;"),
            c => out.push(c),
        }
    }
    out
}
