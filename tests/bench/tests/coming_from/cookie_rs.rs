//! What docs/coming-from/cookie-rs.md shows of cookie: the same lines, compiled and run.

use cookie::{Cookie, CookieJar, Key};

fn with_cookie_rs(key: &Key) -> Option<String> {
    // The response of the login.
    let mut jar = CookieJar::new();
    jar.private_mut(key).add(Cookie::build(("session", "ada")).http_only(true).secure(true));
    let sent = jar.get("session")?.value().to_owned();

    // The next request.
    let mut jar = CookieJar::new();
    jar.add_original(Cookie::new("session", sent));
    jar.private(key).get("session").map(|cookie| cookie.value().to_owned())
}

#[test]
fn the_next_request_knows() {
    assert_eq!(with_cookie_rs(&Key::generate()).as_deref(), Some("ada"));
}
