//! A server for the tests of one process.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub(crate) struct Server {
    folder: tempfile::TempDir,
    _child: Child,
}

/// The shell stops the server when the test's end of the pipe is closed, however the test ends.
const RUN: &str = r#""$@" & server=$!; read -r _; kill $server; wait $server"#;

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let child = Command::new("sh")
            .args(["-c", RUN, "sh", "redis-server", "--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { folder, _child: child };
        while std::os::unix::net::UnixStream::connect(server.socket()).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// A connection to it.
pub(crate) async fn open() -> dogpile_redis::Redis {
    dogpile_redis::Redis::connect(&server().url()).await.unwrap()
}

/// A connection for what only the server itself can tell.
pub(crate) async fn ask() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server().url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}
