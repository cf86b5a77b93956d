//! What the tests of the stores share: folders, servers and requests.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "this is part of tests: what goes wrong here fails one"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use checkrein_stores::{Record, Store, UsageKind, open_store};
use policy_core::Now;
use policy_core::store::{AccountKey, Item, Kind, Request};

/// A folder that goes with the test.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("checkrein-{name}-{}-{}", std::process::id(), wall()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_nanos()).expect("before 2500")
}

/// The host's clocks. The monotonic one begins anywhere.
pub(crate) fn now() -> Now {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = BEGIN.get_or_init(Instant::now).elapsed().as_nanos();
    Now { mono: 1_000_000_000 + u64::try_from(passed).expect("a short test"), wall: wall() }
}

/// Waits until something holds; fails the test if it never does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn account(name: &str) -> AccountKey {
    AccountKey::new("user", name, "per user", "cost", "").expect("a name")
}

/// One item that asks for `need` to `want` of an account without a window.
pub(crate) fn item(name: &str, max: u64, need: u64, want: u64) -> Item {
    Item {
        account: account(name),
        max,
        kind: Kind::Forever,
        reported: Vec::new(),
        debt: 0,
        refund: 0,
        give_back: 0,
        need,
        want,
        grant: None,
        closing: false,
    }
}

/// The first request of a node.
pub(crate) fn request(node: u128, items: Vec<Item>) -> Request {
    Request {
        node,
        epoch: 0,
        seq: 1,
        seen: 0,
        wall: wall(),
        closing: false,
        items,
        claims: Vec::new(),
        more: false,
    }
}

pub(crate) fn record(run: &str, attempt: u64) -> Record {
    Record {
        run: run.to_owned(),
        attempt,
        wall: wall(),
        digest: *b"programs",
        name: "model".to_owned(),
        is_tool: false,
        usage: UsageKind::Exact,
        input: 10,
        output: 20,
        cache_read: 1,
        cache_write: 2,
        reasoning: 3,
        tokens: 30,
        cost: 1_000_000,
        prices: "2026-11-01".to_owned(),
    }
}

/// All records, as (origin, number, attempt).
pub(crate) fn exported(store: &mut dyn Store) -> Vec<(u128, u64, u64)> {
    let mut found = Vec::new();
    store
        .export(&mut |stored| {
            found.push((stored.origin, stored.number, stored.record.attempt));
            true
        })
        .expect("the records can be read");
    found
}

pub(crate) fn open(url: &str) -> Box<dyn Store> {
    open_store(url, true).expect("the store opens")
}

/// A Redis server on a port of its own, which ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) port: u16,
    folder: Folder,
    options: Vec<String>,
}

impl Server {
    /// Starts one that writes to disk before it answers; `None`, with a note, if there is none on this
    /// machine.
    pub(crate) fn durable() -> Option<Self> {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: there is no redis-server on this machine");
            return None;
        }
        // A free port, as far as one can know.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { child: None, port, folder: Folder::new("redis"), options };
        server.again();
        Some(server)
    }

    /// Starts the server, with what it wrote before.
    pub(crate) fn again(&mut self) {
        let port = self.port.to_string();
        let fixed = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning", "--dir"];
        let mut command = Command::new("redis-server");
        command.args(fixed).arg(&self.folder.0).args(&self.options).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("the server starts"));
        let port = self.port;
        until("the server answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Kills it like a crash.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is killed");
            child.wait().expect("it ends");
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs one command on the server, as an administrator would.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(text.as_bytes()).expect("it is sent");
        let mut answer = [0_u8; 4096];
        let read = stream.read(&mut answer).expect("an answer");
        String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Every file of a folder that begins with a name.
pub(crate) fn files_of(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().expect("a folder");
    let stem = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem)))
        .collect();
    found.sort_unstable();
    found
}
