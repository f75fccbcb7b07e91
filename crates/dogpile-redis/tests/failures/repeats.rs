//! Commands that are sent again, because the answer to them was lost.

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, Lease, LeaseBackend, Policy, SetOptions,
    SystemClock,
};
use dogpile_redis::{Connect, Redis};
use std::time::{Duration, Instant};

use crate::support::{Proxy, Server};
use crate::{behind_a_wire, millis};

async fn leased(redis: &Redis, key: Key<'_>) -> Lease {
    let ask = Ask::new(key, Policy::new().at(SystemClock.now()), Duration::from_secs(30));
    match redis.get_or_lease(&ask).await.unwrap() {
        Answer::Create { lease, .. } => lease,
        answer => panic!("{answer:?}"),
    }
}

/// Makes the call, and cuts the wire when it was carried out and the answer is on its way.
async fn answer_lost<T>(
    server: &Server,
    proxy: &Proxy,
    carried_out: [&str; 3],
    call: impl Future<Output = T>,
) -> T {
    proxy.delay(millis(60));
    let opened = proxy.opened();
    let cut = async {
        let began = Instant::now();
        while server.ask(&carried_out).number() == 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "it is not carried out");
            tokio::time::sleep(millis(1)).await;
        }
        proxy.delay(Duration::ZERO);
        proxy.cut();
    };
    let (answer, ()) = tokio::join!(call, cut);
    assert!(proxy.opened() > opened, "it was not sent again");
    answer
}

#[tokio::test]
async fn a_value_that_was_stored_is_not_said_to_be_lost() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let large = "large".repeat(100);
    let cases = [
        (Key::name("k"), "v", ["EXISTS", "k", "none"]),
        (Key::field("g", "f"), "v", ["HEXISTS", "g:fields", "f"]),
        (Key::field("g", "large"), &*large, ["HEXISTS", "g:fields", "large"]),
    ];
    for (key, value, carried_out) in cases {
        let lease = leased(&redis, key).await;
        let entry = Entry::new(SystemClock.now(), Bytes::from(value.to_owned()));
        let options = SetOptions::new();
        let fill = redis.fill(key, lease, entry.clone(), &options);
        let held = answer_lost(&server, &proxy, carried_out, fill).await;
        assert_eq!(held.unwrap(), Held::Kept, "{key:?}");
        assert_eq!(redis.get(key).await.unwrap(), Some(entry), "{key:?}");
    }
    assert_eq!(redis.stats().lost_leases, 0);
}

/// The same answer must not hide a loss: what is there is not what the call would have stored.
#[tokio::test]
async fn a_value_that_was_not_stored_is() {
    let (_server, _proxy, redis) = behind_a_wire(Connect::new()).await;
    for key in [Key::name("k"), Key::field("g", "f")] {
        for replaced in [false, true] {
            let lease = leased(&redis, key).await;
            let now = SystemClock.now();
            let entry = |value| Entry::new(now, Bytes::from_static(value));
            match replaced {
                true => redis.set_many(&[(key, entry(b"other"))], &SetOptions::new()).await,
                false => redis.delete_many(&[key]).await,
            }
            .unwrap();
            let held = redis.fill(key, lease, entry(b"value"), &SetOptions::new()).await;
            assert_eq!(held.unwrap(), Held::Lost);
            redis.delete_many(&[key]).await.unwrap();
        }
    }
    assert_eq!(redis.stats().lost_leases, 4);
}
