//! Servers that are not who they should be.

use dogpile_cache::ErrorKind;
use dogpile_memcached::Memcached;

use crate::support::Options;
use crate::support::server::TLS_CA;
use crate::{millis, quick};

/// A root that vouches for none of the servers here.
const STRANGER: &str = include_str!("../support/stranger.pem");

#[tokio::test]
async fn a_server_by_another_name_is_refused() {
    // Its certificate is for `localhost` and 127.0.0.1.
    let server = Options::new().tls().arguments(&["-l", "127.0.0.2"]).start();
    let options = quick().with_connect_timeout(millis(1_000)).with_root_certificate(TLS_CA);
    Memcached::connect_with(&server.url(), options.clone()).await.unwrap();
    let other = format!("memcacheds://127.0.0.2:{}", server.port());
    is_refused(Memcached::connect_with(&other, options).await, "127.0.0.2", "not valid for name");
}

#[tokio::test]
async fn a_server_that_no_root_vouches_for_is_refused() {
    let server = Options::new().tls().start();
    let options = quick().with_connect_timeout(millis(1_000)).with_root_certificate(STRANGER);
    let connected = Memcached::connect_with(&server.url(), options).await;
    is_refused(connected, "localhost", "UnknownIssuer");
}

fn is_refused(connected: dogpile_core::Result<Memcached>, who: &str, why: &str) {
    let error = connected.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    let said = error.to_string();
    assert!(said.contains("certificate") && said.contains(who), "{said}");
    let mut reasons = Vec::new();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        reasons.push(source.to_string());
        next = source.source();
    }
    assert!(reasons.iter().any(|reason| reason.contains(why)), "{said}: {reasons:?}");
}
