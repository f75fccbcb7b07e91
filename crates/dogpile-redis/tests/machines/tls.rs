//! A cluster and Sentinels that take TLS only.

use std::process::Command;
use std::thread;

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};

use crate::support::server::TLS_CA;
use crate::support::{Cluster, Folder, Kind, Options, Sentinels, sentinel};

const CLUSTER: &str = "DOGPILE_TEST_TLS_CLUSTER";
const SENTINELS: &str = "DOGPILE_TEST_TLS_SENTINELS";

/// The roots are those of the system, which a process of its own is told.
#[test]
fn clusters_and_sentinels_are_spoken_to_with_tls() {
    let options = Options::new(Kind::Redis).tls();
    let (sentinels, cluster) = thread::scope(|scope| {
        let cluster = scope.spawn(|| Cluster::of(&options).unwrap());
        (Sentinels::of(&options).unwrap(), cluster.join().unwrap())
    });
    let folder = Folder::new();
    std::fs::write(folder.join("roots.pem"), TLS_CA).unwrap();
    let client = |roots: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::client", "--nocapture"])
            .env(CLUSTER, cluster.urls().join(" "))
            .env(SENTINELS, sentinels.urls().join(" "))
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    assert!(!client("none.pem").status.success(), "nobody vouches for them");
    let output = client(folder.join("roots.pem").to_str().unwrap());
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("all was well"), "{said}");
}

/// The process; nothing if it is not started as one.
#[tokio::test]
async fn client() {
    let urls = |name| std::env::var(name).map(|urls| urls.split(' ').map(str::to_owned).collect());
    let (Ok(cluster), Ok(sentinels)): (Result<Vec<_>, _>, Result<Vec<_>, _>) =
        (urls(CLUSTER), urls(SENTINELS))
    else {
        return;
    };
    let master = format!("rediss://{}", sentinel::MASTER);
    for redis in [
        Redis::connect_cluster(cluster, Connect::new()).await.unwrap(),
        Redis::connect_sentinel(sentinels, &master, Connect::new()).await.unwrap(),
    ] {
        let cache = Region::new(Dogpile::leased(redis), Json);
        let names: Vec<String> = (0..50).map(|at| format!("name {at}")).collect();
        let create = |missing: Vec<&String>| {
            let values: Vec<String> = missing.into_iter().cloned().collect();
            async move { Ok::<_, String>(values) }
        };
        assert_eq!(cache.get_or_create_many(&names, create).await.unwrap(), names);
        assert_eq!(cache.get::<String>(&names[7]).await.unwrap().as_ref(), Some(&names[7]));
    }
    println!("all was well");
}
