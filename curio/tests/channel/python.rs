//! CPython's `multiprocessing.connection` at the other end.
//!
//! It is the `python3` of the path, and besides the oldest and the newest that pyenv has installed, for the two ways of greeting:
//! the one up to 3.11, the other since. Where there is none, the tests are skipped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use curio::channel::{Channel, Connection};
use curio::{Error, Result, WithTimeout};
use serde::{Deserialize, Serialize};

use crate::{KEY, SEC, channel, cleanly, io_error};

/// Says back what it is told, in either role: values, and bytes after a `'bytes'`.
const ECHO: &str = r#"
import sys
from multiprocessing.connection import Listener, Client
role, family, host, port, key = sys.argv[1:]
address = (host, int(port)) if family == 'AF_INET' else host
key = key.encode() or None
if role == 'listener':
    listener = Listener(address, family, authkey=key)
    print(listener.address[1] if family == 'AF_INET' else host, flush=True)
    c = listener.accept()
else:
    c = Client(address, family, authkey=key)
try:
    while True:
        m = c.recv()
        c.send(m)
        if m == 'bytes':
            while True:
                c.send_bytes(c.recv_bytes())
except EOFError:
    print('done')
"#;

/// `python3` itself, and the oldest and the newest that there are, by `(3, 12)` and the like.
fn pythons() -> &'static BTreeMap<(u32, u32), PathBuf> {
    static FOUND: OnceLock<BTreeMap<(u32, u32), PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut candidates = Vec::new();
        #[allow(deprecated)]
        if let Some(home) = std::env::home_dir()
            && let Ok(versions) = home.join(".pyenv/versions").read_dir()
        {
            candidates.extend(
                versions
                    .flatten()
                    .map(|version| version.path().join("bin/python3")),
            );
        }
        let version = |python: &PathBuf| {
            let version = "import sys; print(*sys.version_info[:2])";
            let said = Command::new(python)
                .args(["-c", version])
                .stdin(Stdio::null())
                .output();
            version_of(&said.ok()?.stdout)
        };
        let named = |python: PathBuf| Some((version(&python)?, python));
        let others: BTreeMap<_, _> = candidates.into_iter().filter_map(named).collect();
        let mut found: BTreeMap<_, _> = named(PathBuf::from("python3")).into_iter().collect();
        found.extend(
            others
                .first_key_value()
                .map(|(&version, python)| (version, python.clone())),
        );
        found.extend(
            others
                .last_key_value()
                .map(|(&version, python)| (version, python.clone())),
        );
        match found.is_empty() {
            true => eprintln!("skipped: there is no Python"),
            false => eprintln!("with Python {:?}", found.keys().collect::<Vec<_>>()),
        }
        found
    })
}

fn version_of(said: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(said).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// One that runs, and is killed at the latest when this is dropped.
struct Python(Child);

impl Python {
    fn start(python: &PathBuf, program: &str, arguments: &[&str]) -> Python {
        let child = Command::new(python)
            .args(["-c", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Python(child.unwrap())
    }

    /// The next line of its output. (The kernel has nothing else to do meanwhile.)
    fn line(&mut self) -> String {
        let mut line = String::new();
        // A byte at a time: what follows is not ours.
        let mut out = BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap());
        out.read_line(&mut line).unwrap();
        line.trim().to_string()
    }

    /// What it has said when it has ended.
    fn end(mut self) -> (bool, String) {
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().success(), said)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    name: String,
    count: i64,
    price: Option<f64>,
    parts: Vec<(u8, bool)>,
    labels: BTreeMap<String, u128>,
}

async fn talk(c: &Connection) -> Result<()> {
    let order = Order {
        name: "spam & œufs".into(),
        count: -5_000_000_000,
        price: Some(2.5),
        parts: vec![(1, true), (200, false)],
        labels: [("big".to_string(), 1 << 100), ("small".to_string(), 0)].into(),
    };
    c.send(&order).await?;
    assert_eq!(c.recv::<Order>().await?, order);
    for int in [0, 255, 256, 65535, 65536, i64::MAX, i64::MIN, -1] {
        c.send(&int).await?;
        assert_eq!(c.recv::<i64>().await?, int);
    }
    let long: Vec<u32> = (0..20_000).collect();
    let (sent, received) = futures::join!(c.send(&long), c.recv::<Vec<u32>>());
    sent?;
    assert!(received? == long);
    c.send("bytes").await?;
    assert_eq!(c.recv::<String>().await?, "bytes");
    for size in [0, 1, 16384, 16385, 1_000_000] {
        let bytes = vec![size as u8; size];
        let (sent, received) = futures::join!(c.send_bytes(&bytes), c.recv_bytes());
        sent?;
        assert!(received? == bytes, "{size} bytes");
    }
    Ok(())
}

/// Both roles, both families, with and without a key.
#[test]
fn every_python_in_both_roles() {
    for (version, python) in pythons() {
        let path = std::env::temp_dir().join(format!("curio-python-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let families: &[&str] = if cfg!(unix) {
            &["AF_INET", "AF_UNIX"]
        } else {
            &["AF_INET"]
        };
        for family in families {
            for key in ["peekaboo", ""] {
                let authkey = (!key.is_empty()).then_some(key.as_bytes());
                let host = if *family == "AF_INET" { "127.0.0.1" } else { path };
                let at = |port: u16| match *family {
                    #[cfg(unix)]
                    "AF_UNIX" => Ok(Channel::unix(path)),
                    _ => Channel::new(("127.0.0.1", port)),
                };
                cleanly(async || {
                    let mut python = Python::start(python, ECHO, &["listener", family, host, "0", key]);
                    let port = python.line().parse().unwrap_or(0);
                    let c = at(port)?.connect(authkey).await?;
                    talk(&c).timeout(60 * SEC).await?;
                    c.close();
                    assert_eq!(python.end(), (true, "done\n".to_string()), "{version:?} {family}");
                    Ok(())
                });
                cleanly(async || {
                    let ch = at(0)?;
                    ch.bind()?;
                    let port = ch.address().rsplit(':').next().unwrap().to_string();
                    let port = if *family == "AF_INET" { &port } else { "0" };
                    let python = Python::start(python, ECHO, &["client", family, host, port, key]);
                    let c = ch.accept(authkey).timeout(60 * SEC).await?;
                    talk(&c).timeout(60 * SEC).await?;
                    c.close();
                    assert_eq!(python.end(), (true, "done\n".to_string()), "{version:?} {family}");
                    Ok(())
                });
            }
        }
    }
}

#[test]
fn a_wrong_key_in_both_roles() {
    for (version, python) in pythons() {
        cleanly(async || {
            let mut listener =
                Python::start(python, ECHO, &["listener", "AF_INET", "127.0.0.1", "0", "other"]);
            let ch = Channel::new(("127.0.0.1", listener.line().parse().unwrap()))?;
            let refused = ch.connect(KEY).timeout(60 * SEC).await;
            io_error(refused, ErrorKind::PermissionDenied, "refuses our key");
            let (success, said) = listener.end();
            assert!(
                !success && said.contains("AuthenticationError"),
                "{version:?}: {said}"
            );

            let ch = channel()?;
            let port = ch.address().rsplit(':').next().unwrap().to_string();
            let wrong = Python::start(python, ECHO, &["client", "AF_INET", "127.0.0.1", &port, "other"]);
            // The server goes on with the next.
            let server = curio::spawn(async move { ch.accept(KEY).await });
            let (success, said) = curio::run_in_thread(move || wrong.end()).await?;
            assert!(
                !success && said.contains("digest sent was rejected"),
                "{version:?}: {said}"
            );
            let right = Python::start(
                python,
                ECHO,
                &["client", "AF_INET", "127.0.0.1", &port, "peekaboo"],
            );
            drop(server.join().timeout(60 * SEC).await?);
            right.end();
            Ok(())
        });
    }
}

/// What Python pickles and we do not take: it says what it is, and the next message is a message again.
#[test]
fn what_is_no_plain_data() {
    let program = r"
import sys, decimal, datetime
from multiprocessing.connection import Client
c = Client(('127.0.0.1', int(sys.argv[1])), authkey=b'peekaboo')
c.send(decimal.Decimal(1))
c.send(datetime.date(2015, 10, 11))
c.send(print)
loop = []
loop.append(loop)
c.send(loop)
c.send({1, 2})
c.send(bytearray(b'ab'))
c.send(10 ** 100)
c.send((None, b'bytes', frozenset()))
c.recv()
";
    let Some(python) = pythons().values().next_back() else {
        return;
    };
    cleanly(async || {
        let ch = channel()?;
        let port = ch.address().rsplit(':').next().unwrap().to_string();
        let python = Python::start(python, program, &[&port]);
        let c = ch.accept(KEY).timeout(60 * SEC).await?;
        for why in [
            "decimal.Decimal",
            "datetime.date",
            "builtins.print",
            "contains itself",
        ] {
            io_error(c.recv::<serde_json::Value>().await, ErrorKind::InvalidData, why);
        }
        assert_eq!(c.recv::<std::collections::BTreeSet<u8>>().await?, [1, 2].into());
        assert_eq!(c.recv::<Vec<u8>>().await?, b"ab");
        io_error(c.recv::<i128>().await, ErrorKind::InvalidData, "128 bits");
        assert_eq!(
            c.recv::<(Option<u8>, Vec<u8>, [u8; 0])>().await?,
            (None, b"bytes".to_vec(), [])
        );
        c.send(&0).await?;
        assert!(python.end().0);
        Ok(())
    });
}

/// A peer that is killed in the middle of a message, while it is greeted, and while it should receive.
#[test]
fn a_peer_that_is_killed() {
    let program = r"
import sys, os, time
from multiprocessing.connection import Client
c = Client(('127.0.0.1', int(sys.argv[1])), authkey=b'peekaboo')
os.write(c.fileno(), b'\0\0\1\0half')
print('sent', flush=True)
time.sleep(1000)
";
    let Some(python) = pythons().values().next_back() else {
        return;
    };
    cleanly(async || {
        let ch = channel()?;
        let port = ch.address().rsplit(':').next().unwrap().to_string();
        let mut python = Python::start(python, program, &[&port]);
        let c = ch.accept(KEY).timeout(60 * SEC).await?;
        assert_eq!(python.line(), "sent");
        drop(python);
        let cut = c.recv_bytes().timeout(60 * SEC).await;
        io_error(cut, ErrorKind::UnexpectedEof, "in the middle");
        let sending = async {
            loop {
                c.send_bytes(&[0; 100_000]).await?;
            }
        };
        let gone: Result<()> = sending.timeout(60 * SEC).await;
        assert!(matches!(gone, Err(Error::Io(_))), "{gone:?}");
        Ok(())
    });
}
