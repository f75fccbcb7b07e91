//! What a session holds, and when its cookie is set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{Attributes, CookieHeaders, ErrorKind, Flash};
use support::log::Log;
use support::{Browser, IDLE, Server, count, log_out, read};

#[tokio::test]
async fn a_session_goes_from_request_to_request() {
    let (server, mut browser) = (Server::new(), Browser::new());
    for visit in 1..=3 {
        assert_eq!(server.visit(&mut browser, count).await.unwrap(), visit);
    }
    let other = &mut Browser::new();
    assert_eq!(server.visit(other, count).await.unwrap(), 1);
}

#[tokio::test]
async fn without_a_change_no_cookie_is_set() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, read).await.unwrap();
    assert_eq!(browser, Browser::new());

    server.visit(&mut browser, count).await.unwrap();
    let before = browser.clone();
    server.visit(&mut browser, read).await.unwrap();
    let request = server.arrive(&browser);
    request.session().await.unwrap().insert("count", &1_u64).unwrap();
    assert!(request.commit().await.unwrap().set_cookie().is_empty(), "it was put back as it was");
    assert_eq!(browser, before);
}

/// Headers that nobody may look into.
struct Sealed;

impl CookieHeaders for Sealed {
    fn value(&self, _: usize) -> Option<&[u8]> {
        panic!("the cookies were read")
    }
}

#[tokio::test]
async fn nothing_is_read_until_it_is_asked_for() {
    for generations in [Generations::stateless(), Generations::monotonic(MemoryStore::new())] {
        let request = Server::with(generations).sessions.request(Sealed);
        let headers = request.clone().commit().await.unwrap();
        assert!(headers.set_cookie().is_empty() && !headers.is_touched());
        assert_eq!(headers.cache_control(None), None);
    }

    let request = Server::new().arrive(&Browser::holding("garbage"));
    request.session().await.unwrap();
    let headers = request.commit().await.unwrap();
    assert!(headers.set_cookie().is_empty() && headers.is_touched());
    assert_eq!(headers.cache_control(None), Some("no-store"));
    assert_eq!(headers.cache_control(Some("public, max-age=60")), Some("no-store"));
    assert_eq!(headers.cache_control(Some("max-age=60, Private")), None);
}

#[tokio::test]
async fn entries_are_put_and_taken() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server
        .visit(&mut browser, async |session| {
            session.insert("name", "Ada")?;
            session.insert("years", &[1815, 1852])?;
            session.insert("nothing", &None::<u8>)
        })
        .await
        .unwrap();
    server
        .visit(&mut browser, async |session| {
            assert_eq!(session.keys(), ["name", "years", "nothing"]);
            assert_eq!(session.get::<String>("name")?.as_deref(), Some("Ada"));
            assert_eq!(session.get::<Vec<u16>>("years")?, Some(vec![1815, 1852]));
            assert_eq!(session.get::<Option<u8>>("nothing")?, Some(None));
            assert_eq!(session.get::<u8>("missing")?, None);
            assert_eq!(session.get::<u8>("name").unwrap_err().kind(), ErrorKind::Decode);
            assert!(session.remove("name") && !session.remove("name"));
            Ok(())
        })
        .await
        .unwrap();
    server
        .visit(&mut browser, async |session| {
            assert_eq!(session.keys(), ["years", "nothing"]);
            session.clear();
            Ok(())
        })
        .await
        .unwrap();
    let keys =
        server.visit(&mut browser, async |session| Ok((session.keys(), session.is_new()))).await;
    assert_eq!(keys.unwrap(), (vec![], false));
}

#[tokio::test]
async fn clones_and_extractions_are_one_session() {
    let server = Server::new();
    let request = server.arrive(&Browser::new());
    let one = request.session().await.unwrap();
    one.insert("a", &1).unwrap();
    let (two, three) = (one.clone(), request.clone().session().await.unwrap());
    two.insert("b", &2).unwrap();
    assert_eq!(three.keys(), ["a", "b"]);
    drop((one, two, three));
    assert_eq!(request.commit().await.unwrap().set_cookie().len(), 1);
    assert_eq!(request.commit().await.unwrap().set_cookie().len(), 0, "it was sent already");
}

#[tokio::test]
async fn log_in_renew_destroy() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    let seen =
        async |session: cookie_session::Session| Ok((session.user(), session.get::<u64>("count")?));
    assert_eq!(server.visit(&mut browser, seen).await.unwrap(), (Some("Ada".into()), Some(1)));

    let before = browser.clone();
    server.visit(&mut browser, async |session| session.renew()).await.unwrap();
    assert_ne!(browser, before);
    assert_eq!(server.visit(&mut browser, seen).await.unwrap(), (Some("Ada".into()), Some(1)));

    // Another user finds nothing of hers.
    server.visit(&mut browser, async |session| session.log_in("Grace")).await.unwrap();
    assert_eq!(server.visit(&mut browser, seen).await.unwrap(), (Some("Grace".into()), None));

    server.visit(&mut browser, log_out).await.unwrap();
    assert_eq!(browser, Browser::new());
}

#[tokio::test]
async fn a_message_is_shown_once_also_after_the_end() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let goodbye = Flash::new("info", "goodbye");
    server.visit(&mut browser, count).await.unwrap();
    server
        .visit(&mut browser, async |session| {
            session.destroy();
            session.flash(Flash::new("info", "goodbye"))
        })
        .await
        .unwrap();
    let shown =
        async |session: cookie_session::Session| Ok((session.take_flashes(), session.keys()));
    assert_eq!(server.visit(&mut browser, shown).await.unwrap(), (vec![goodbye], vec![]));
    assert_eq!(server.visit(&mut browser, shown).await.unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_too_large_is_told_before_anything_is_sent() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let put = async |session: cookie_session::Session| session.insert("text", &"x".repeat(4_000));
    let error = server.visit(&mut browser, put).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::TooLarge, 500));
    assert_eq!(browser, Browser::new());
}

#[tokio::test]
async fn it_is_set_anew_when_a_tenth_of_its_idle_time_has_gone_by() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    for _ in 0..20 {
        let before = browser.clone();
        server.clock.advance(IDLE / 10);
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
        assert_ne!(browser, before);
    }
}

#[tokio::test]
async fn a_form_is_accepted_from_a_page_of_its_session_and_no_other() {
    let (server, mut browser, mut other) = (Server::new(), Browser::new(), Browser::new());
    let form = async |session: cookie_session::Session| session.csrf_token();
    let [one, two] = [
        server.visit(&mut browser, form).await.unwrap(),
        server.visit(&mut browser, form).await.unwrap(),
    ];
    assert_ne!(one, two, "a page is not to give it away when it is compressed");
    let foreign = server.visit(&mut other, form).await.unwrap();
    let check = async |browser: &mut Browser, token: &str| {
        server.visit(browser, async |session| session.check_csrf(token)).await
    };
    for token in [&one, &two] {
        check(&mut browser, token).await.unwrap();
    }
    let refused = |result: cookie_session::Result<()>| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Csrf, 403));
    };
    let mut flipped = one.clone().into_bytes();
    flipped[70] = if flipped[70] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for token in
        [&foreign, "", "*", "AAAA", &one[..85], &one[..43], &format!("{one}AAAA"), &flipped]
    {
        refused(check(&mut browser, token).await);
    }
    refused(check(&mut Browser::new(), &one).await);
    // The form of a page from before the login is void after it.
    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    refused(check(&mut browser, &one).await);
}

#[tokio::test]
async fn a_form_and_a_session_outlive_a_rotation_of_keys() {
    use cookie_session::{KeyRing, KeyState, RootKey};

    let (old, new) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
    let keys = KeyRing::new(old.clone());
    let server = Server::build(keys.clone(), Server::new().clock, |options| options);
    let mut browser = Browser::new();
    server.visit(&mut browser, count).await.unwrap();
    let token = server.visit(&mut browser, async |session| session.csrf_token()).await.unwrap();

    let rotate = |state| {
        KeyRing::from_keys([(KeyState::Active, new.clone()), (state, old.clone())]).unwrap()
    };
    keys.replace(&rotate(KeyState::Retiring));
    let before = browser.clone();
    server.visit(&mut browser, async |session| session.check_csrf(&token)).await.unwrap();
    assert_ne!(browser, before, "it is sealed with the new key");
    keys.replace(&rotate(KeyState::Revoked));
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    assert_eq!(server.visit(&mut before.clone(), read).await.unwrap(), None);
}

#[tokio::test]
async fn messages_keep_their_order_and_wait_for_whoever_asks() {
    let (server, mut browser) = (Server::new(), Browser::new());
    for (level, text) in [("info", "one"), ("error", "two"), ("", "")] {
        server
            .visit(&mut browser, async |session| session.flash(Flash::new(level, text)))
            .await
            .unwrap();
    }
    server.visit(&mut browser, count).await.unwrap();
    let shown =
        server.visit(&mut browser, async |session| Ok(session.take_flashes())).await.unwrap();
    let shown: Vec<_> = shown.iter().map(|flash| (flash.level(), flash.text())).collect();
    assert_eq!(shown, [("info", "one"), ("error", "two"), ("", "")]);
    // One that is put and taken by one request never travels.
    let before = browser.clone();
    server
        .visit(&mut browser, async |session| {
            session.flash(Flash::new("info", "at once"))?;
            assert_eq!(session.take_flashes().len(), 1);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(browser, before);
}

#[tokio::test]
async fn what_fits_without_its_generations_alone_is_told_before_the_store_is_changed() {
    let server = Server::with(Generations::per_session(MemoryStore::new()));
    let mut browser = Browser::new();
    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    let mut refused = 0;
    for length in 2_900..3_000 {
        let (mut copy, mut next) = (browser.clone(), browser.clone());
        let outcome = server
            .visit(&mut next, async |session| {
                session.log_in("Ada")?;
                session.insert("text", &"x".repeat(length))
            })
            .await;
        match outcome {
            Ok(()) => browser = next,
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                let user = server.visit(&mut copy, async |session| Ok(session.user()));
                assert_eq!(user.await.unwrap().as_deref(), Some("Ada"), "length {length}");
            }
        }
    }
    assert!((1..100).contains(&refused), "{refused}");
}

#[tokio::test]
async fn what_only_outgrew_a_longer_line_is_read_and_not_sealed_anew() {
    let keys = cookie_session::KeyRing::new(cookie_session::RootKey::generate().unwrap());
    let store = MemoryStore::new();
    for generations in [
        Generations::stateless(),
        Generations::per_session(store.clone()),
        Generations::monotonic(store.clone()),
    ] {
        let before = Server::build(keys.clone(), Server::new().clock, |options| {
            options.with_generations(generations.clone())
        });
        let mut browser = Browser::new();
        // As much as fits, to the byte or nearly.
        for length in (2_000..4_000).rev() {
            let fill = async |session: cookie_session::Session| {
                session.insert("text", &"x".repeat(length))
            };
            if before.visit(&mut browser, fill).await.is_ok() {
                break;
            }
        }
        let filled = browser.clone();
        assert_ne!(filled, Browser::new());
        // A deploy whose lines are longer.
        let after = Server::build(keys.clone(), before.clock.clone(), |options| {
            options.with_generations(generations).with_lasting_cookie()
        });
        after.clock.advance(IDLE / 2);
        let (log, keys) =
            (Log::default(), async |session: cookie_session::Session| Ok(session.keys()));
        let guard = tracing::subscriber::set_default(log.clone());
        assert_eq!(after.visit(&mut browser, keys).await.unwrap(), ["text"]);
        drop(guard);
        assert_eq!(browser, filled, "its cookie is left as it is");
        let lines = log.take();
        assert!(lines.iter().any(|line| line.starts_with("cookie_session: WARN")), "{lines:?}");
        // What somebody asked for is told.
        let error = after.visit(&mut browser, count).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        // It gets room, and is sealed as ever.
        after.visit(&mut browser, async |session| session.insert("text", "short")).await.unwrap();
        assert_ne!(browser, filled);
    }
}

/// The parts of a large session that a browser keeps.
fn parts(browser: &Browser) -> usize {
    browser.0.len()
}

#[tokio::test]
async fn a_large_session_comes_and_goes_in_several_cookies() {
    for generations in [Generations::stateless(), Generations::monotonic(MemoryStore::new())] {
        let server = Server::with_options(|options| {
            let cookie = Attributes::host("session").unwrap().with_chunks(3).unwrap();
            options.with_cookie(cookie).with_generations(generations)
        });
        let mut browser = Browser::new();
        let fill = |length: usize| {
            async move |session: cookie_session::Session| {
                session.insert("text", &"x".repeat(length))
            }
        };
        let text = async |session: cookie_session::Session| session.get::<String>("text");
        for (length, expected) in [(8_000, 3), (4_000, 2), (10, 1), (8_000, 3)] {
            server.visit(&mut browser, fill(length)).await.unwrap();
            assert_eq!(parts(&browser), expected, "of {length} bytes");
            let seen = server.visit(&mut browser, text).await.unwrap().unwrap();
            assert_eq!(seen.len(), length);
        }
        // One part is lost: no session, and its parts are taken away with the next one's cookie.
        let mut torn = browser.clone();
        torn.0.remove(1);
        assert_eq!(server.visit(&mut torn, text).await.unwrap(), None);
        server.visit(&mut torn, count).await.unwrap();
        assert_eq!(parts(&torn), 1);
        server.visit(&mut browser, log_out).await.unwrap();
        assert_eq!(browser, Browser::new());
    }
}
