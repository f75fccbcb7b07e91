//! Passwords, users and TLS.

use dogpile_cache::ErrorKind;
use dogpile_redis::Redis;

use crate::region;
use crate::support::{Kind, Options};

const PASSWORD: &str = "hunter2-hunter2";

#[tokio::test]
async fn a_password_is_asked_for_and_never_shown() {
    let server = Options::new(Kind::Redis).password(PASSWORD).start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    region(&redis).set("k", &1_u32).await.unwrap();
    assert!(!format!("{redis:?}").contains(PASSWORD), "{redis:?}");

    let wrong = server.url().replace(PASSWORD, "wrong-wrong");
    let none = format!("redis://127.0.0.1:{}", server.port());
    for url in [wrong, none] {
        let error = Redis::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        assert!(!format!("{error:?} {error}").contains("wrong-wrong"), "{error:?}");
    }
}

#[tokio::test]
async fn a_user_may_do_what_its_acl_says() {
    let server = crate::Server::start().unwrap();
    server.ask(&["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-@write"]);
    let url = format!("redis://reader:secret@127.0.0.1:{}", server.port());
    let redis = Redis::connect(&url).await.unwrap();
    assert_eq!(region(&redis).get::<u32>("k").await.unwrap(), None);
    let error = region(&redis).set("k", &1_u32).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains("ACL"), "{error}");
}

#[tokio::test]
async fn databases_and_sockets_are_told_apart() {
    let server = crate::Server::start().unwrap();
    let zero = Redis::connect(&server.url()).await.unwrap();
    let two = Redis::connect(&format!("{}/2", server.url())).await.unwrap();
    let socket = Redis::connect(&server.unix_url()).await.unwrap();
    region(&zero).set("k", &0_u32).await.unwrap();
    region(&two).set("k", &2_u32).await.unwrap();
    assert_eq!(region(&zero).get::<u32>("k").await.unwrap(), Some(0));
    assert_eq!(region(&two).get::<u32>("k").await.unwrap(), Some(2));
    assert_eq!(region(&socket).get::<u32>("k").await.unwrap(), Some(0));
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_is_spoken_with_whom_a_root_vouches_for() {
    use dogpile_redis::Connect;

    use crate::support::server::TLS_CA;

    let server = Options::new(Kind::Redis).tls().start().unwrap();
    let error = Redis::connect(&server.url()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Unavailable), "{error:?}");

    let certificates =
        redis::TlsCertificates { client_tls: None, root_cert: Some(TLS_CA.as_bytes().to_vec()) };
    let client = redis::Client::build_with_tls(server.url(), certificates).unwrap();
    let redis = Redis::connect_client(client, Connect::new()).await.unwrap();
    region(&redis).set("k", &1_u32).await.unwrap();
    assert_eq!(region(&redis).get::<u32>("k").await.unwrap(), Some(1));
}
