//! Which protocol is spoken with whom.

use dogpile_cache::ErrorKind;
use dogpile_redis::{Connect, Protocol, Redis};

use crate::support::{Kind, Options, Server};
use crate::{made, region};

/// What the server says is spoken on the newest connection by TCP.
fn spoken(server: &Server) -> String {
    let clients = server.ask(&["CLIENT", "LIST"]).text();
    let newest = clients.lines().rfind(|line| line.contains(" addr=127.0.0.1:")).unwrap();
    newest.split(' ').find_map(|part| part.strip_prefix("resp=")).unwrap().to_owned()
}

#[tokio::test]
async fn it_is_what_the_options_say_then_the_url_and_then_the_newest() {
    let server = Server::start().unwrap();
    for (query, chosen, expected) in [
        ("", None, "3"),
        ("?protocol=resp2", None, "2"),
        ("?protocol=resp3", None, "3"),
        ("", Some(Protocol::Resp2), "2"),
        ("?protocol=resp3", Some(Protocol::Resp2), "2"),
        ("?protocol=resp2", Some(Protocol::Resp3), "3"),
    ] {
        let url = format!("{}/{query}", server.url());
        let options = Connect::new();
        let options = chosen.iter().fold(options, |options, it| options.with_protocol(*it));
        let redis = Redis::connect_with(&url, options).await.unwrap();
        assert_eq!(spoken(&server), expected, "{query} {chosen:?}");
        assert_eq!(region(&redis).get_or_create("k", || made(1)).await.unwrap(), 1);
    }
}

/// As servers are that are older than Redis 6, and some that are hosted.
#[tokio::test]
async fn a_server_without_the_newer_one_is_spoken_to_all_the_same() {
    let no_hello = ["--rename-command", "HELLO", ""];
    for password in [None, Some("secret")] {
        let options = Options::new(Kind::Redis).arguments(&no_hello);
        let options = password.iter().fold(options, |options, it| options.password(it));
        let server = options.start().unwrap();
        let redis = Redis::connect(&server.url()).await.unwrap();
        assert_eq!(spoken(&server), "2");
        assert_eq!(region(&redis).get_or_create("k", || made(1)).await.unwrap(), 1);

        let newer = Connect::new().with_protocol(Protocol::Resp3);
        let error = Redis::connect_with(&server.url(), newer).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Refused), "{error:?}");
    }
}
