//! The same stories for both applications, in every mode.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Framework, command};
use crate::http::Client;

const BOTH: [Framework; 2] = [Framework::Axum, Framework::Actix];

#[test]
fn a_user_logs_in_counts_and_logs_out() {
    for (framework, mode) in each() {
        let app = App::start(framework, &["--mode", mode]);
        let mut client = app.client();

        let nothing = json!({
            "user": null, "count": 0, "note": null, "authenticated_at": null, "csrf_token": null,
        });
        assert_eq!(client.session(), nothing);
        let answer = client.get("/");
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (200, None),
            "to look begins no session"
        );
        assert!(answer.body.contains("Log in"));

        let answer = client.post("/login", "user=Ada+%3CL%3E");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
        assert_eq!(answer.header("vary"), Some("cookie"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let cookie = answer.header("set-cookie").unwrap();
        assert!(
            cookie.starts_with("session=A") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );

        let page = client.get("/").body;
        assert!(
            page.contains("Welcome, Ada &lt;L&gt;.")
                && page.contains("<strong id=\"user\">Ada &lt;L&gt;</strong>")
        );
        assert!(!client.get("/").body.contains("Welcome"), "it was said once");

        for count in 1..=3 {
            assert_eq!(client.post("/count", "").status, 303);
            assert_eq!(client.session()["count"], count);
        }
        let answer = client.get("/session");
        assert_eq!(answer.header("set-cookie"), None, "nothing changed");
        assert_eq!(answer.header("vary"), Some("cookie"));

        assert_eq!(client.post("/logout", "").status, 303);
        assert_eq!(client.cookies, []);
        assert_eq!(client.session(), nothing);
        assert_eq!(client.get("/missing").status, 404);
    }
}

#[test]
fn a_cookie_from_before_the_logout_is_worth_what_the_mode_says() {
    for (framework, mode) in each() {
        let app = App::start(framework, &["--mode", mode]);
        let mut client = app.client();
        client.post("/login", "user=Ada");
        let mut thief = client.clone();
        client.post("/logout", "");

        let is_in = user(&mut thief) == "Ada";
        assert_eq!(is_in, matches!(mode, "stateless" | "per-user"), "{framework:?}, {mode}");
    }
}

#[test]
fn a_login_voids_the_cookie_from_before() {
    for (framework, mode) in each().filter(|(_, mode)| matches!(*mode, "per-session" | "monotonic"))
    {
        let app = App::start(framework, &["--mode", mode]);
        let mut client = app.client();
        client.post("/count", "");
        let mut planted = client.clone();
        client.post("/login", "user=Ada");
        assert_eq!(user(&mut client), "Ada");
        assert_eq!(planted.session()["count"], 0);
    }
}

#[test]
fn logging_out_everywhere_ends_the_sessions_of_that_user() {
    for (framework, mode) in each() {
        let app = App::start(framework, &["--mode", mode]);
        let [mut phone, mut desk, mut other] = [(); 3].map(|()| app.client());
        for (client, name) in [(&mut phone, "Ada"), (&mut desk, "Ada"), (&mut other, "Grace")] {
            client.post("/login", &format!("user={name}"));
        }
        let answer = desk.post("/logout-everywhere", "");
        if mode == "stateless" {
            assert_eq!(answer.status, 501);
            assert_eq!(user(&mut phone), "Ada");
        } else {
            assert_eq!(answer.status, 303);
            assert_eq!(
                [user(&mut phone), user(&mut desk)],
                [Value::Null, Value::Null],
                "{framework:?}, {mode}"
            );
            assert_eq!(user(&mut other), "Grace");
            phone.post("/login", "user=Ada");
            assert_eq!(user(&mut phone), "Ada", "she may come back");
        }
        assert_eq!(app.client().post("/logout-everywhere", "").status, 303, "nobody is logged in");
    }
}

#[test]
fn a_form_needs_the_token_of_its_session() {
    for framework in BOTH {
        let app = App::start(framework, &[]);
        let (mut ada, mut grace) = (app.client(), app.client());
        ada.post("/login", "user=Ada");
        grace.post("/login", "user=Grace");
        let tokens = [ada.session()["csrf_token"].clone(), grace.session()["csrf_token"].clone()];
        let [of_ada, of_grace] = tokens.each_ref().map(|token| token.as_str().unwrap());

        for token in ["", "nonsense", of_grace] {
            let answer = ada.post("/form", &format!("note=bought&csrf_token={token}"));
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
            assert_eq!(answer.body, "reload the page and send the form again\n");
        }
        assert_eq!(ada.post("/form", "note=bought").status, 403);
        assert_eq!(ada.session()["note"], Value::Null);
        assert_eq!(ada.post("/form", &format!("note=mine&csrf_token={of_ada}")).status, 303);
        assert_eq!(ada.session()["note"], "mine");

        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("x-csrf-token", of_ada)];
        assert_eq!(ada.send("POST", "/form", &headers, "note=script").status, 303);
        assert_eq!(ada.session()["note"], "script");
        assert_eq!(app.client().post("/form", &format!("note=x&csrf_token={of_ada}")).status, 403);
    }
}

#[test]
fn sessions_outlive_the_process_with_its_key_and_its_database() {
    for framework in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let [key, db] = ["keys", "sessions.db"]
            .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let arguments = ["--mode", "monotonic", "--key-file", &key, "--db", &db];

        let app = App::start(framework, &arguments);
        let [mut here, mut gone] = [(); 2].map(|()| app.client());
        here.post("/login", "user=Ada");
        gone.post("/login", "user=Grace");
        let mut thief = gone.clone();
        gone.post("/logout", "");
        drop(app);

        // The other framework reads the same cookies: nothing of them is a framework's own.
        let other = if framework == Framework::Axum { Framework::Actix } else { Framework::Axum };
        let app = App::start(other, &arguments);
        let moved = |client: &Client| Client { cookies: client.cookies.clone(), ..app.client() };
        assert_eq!(user(&mut moved(&here)), "Ada");
        assert_eq!(user(&mut moved(&thief)), Value::Null);
        thief.cookies.clear();

        // A database that was lost logs everybody out.
        drop(app);
        for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
            let _ = std::fs::remove_file(folder.path().join(name));
        }
        let app = App::start(framework, &arguments);
        let mut back = Client { cookies: here.cookies, ..app.client() };
        assert_eq!(user(&mut back), Value::Null);
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("keys");
    drop(App::start(Framework::Axum, &["--key-file", key.to_str().unwrap()]));
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else is left");
}

#[test]
fn idle_sessions_and_old_ones_end() {
    for framework in BOTH {
        for limit in ["--idle", "--absolute"] {
            let app = App::start(framework, &[limit, "1"]);
            let mut client = app.client();
            client.post("/login", "user=Ada");
            assert_eq!(client.cookies.len(), 1);
            // By the clock on the wall: nothing of a process can be waited for.
            sleep(Duration::from_millis(1_100));
            assert_eq!(user(&mut client), Value::Null, "{framework:?} {limit}");
        }
    }
}

#[test]
fn hostile_cookies_are_no_session() {
    for framework in BOTH {
        let app = App::start(framework, &["--mode", "monotonic"]);
        let long = "A".repeat(4_097);
        for value in
            ["", "garbage", "AAAA", long.as_str(), "\"quoted\"", "=;=;;", "session=session"]
        {
            let mut client = app.client();
            client.cookies.push(("session".to_owned(), value.to_owned()));
            assert_eq!(user(&mut client), Value::Null, "{framework:?} {value}");
        }
        let mut client = app.client();
        client.post("/login", "user=Ada");
        let good = client.cookies[0].clone();
        client.cookies.insert(0, ("session".to_owned(), "of another path".to_owned()));
        assert_eq!(user(&mut client), "Ada", "the one that opens counts");
        client.cookies = vec![("SESSION".to_owned(), good.1)];
        assert_eq!(user(&mut client), Value::Null, "names are compared with their case");
    }
}

#[test]
fn bad_forms_and_options_are_told_what_to_do() {
    for framework in BOTH {
        let app = App::start(framework, &[]);
        let mut client = app.client();
        assert_eq!(client.post("/login", "user=++").status, 400);
        assert!(matches!(client.post("/login", "name=Ada").status, 400 | 422));
        assert_eq!(client.session()["user"], Value::Null);

        for (arguments, why) in [
            (&["--mode", "none"][..], "--mode is stateless, per-user, per-session or monotonic"),
            (&["--port"], "--port needs a value"),
            (&["--idle", "soon"], "--idle needs a number"),
            (&["--verbose"], "there is no option --verbose"),
        ] {
            let output = command(framework).args(arguments).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && said.contains(why), "{said}");
        }
        let help = command(framework).arg("--help").output().unwrap();
        assert!(
            help.status.success() && String::from_utf8(help.stderr).unwrap().contains("--key-file")
        );
    }
}

fn each() -> impl Iterator<Item = (Framework, &'static str)> {
    let modes = ["stateless", "per-user", "per-session", "monotonic"];
    BOTH.into_iter().flat_map(move |framework| modes.map(|mode| (framework, mode)))
}

fn user(client: &mut Client) -> Value {
    client.session()["user"].clone()
}
