//! What the examples print, byte for byte.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::{Running, example, is_enabled};

/// The longest program takes 25 seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// A file `transcripts/NAME.txt`: the command in its first line, then what the command prints.
struct Transcript {
    name: String,
    output: String,
}

impl Transcript {
    fn read(path: &Path) -> Transcript {
        let shown = path.display();
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let features = if name == "kid_tokio" {
            " --features tokio"
        } else {
            ""
        };
        let command = format!("$ cargo run --example {name}{features}\n");
        let output = text
            .strip_prefix(&command)
            .unwrap_or_else(|| panic!("{shown} does not begin with {command:?}"));
        Transcript {
            name: name.to_string(),
            output: output.to_string(),
        }
    }

    fn all() -> Vec<Transcript> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
        let entries = fs::read_dir(folder).expect("the folder is there");
        entries
            .map(|entry| Transcript::read(&entry.expect("readable").path()))
            .collect()
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(example(&self.name).args(arguments))
    }

    fn compare(&self, running: Running) {
        let finished = running.finish_within(LIMIT);
        assert!(finished.status.success(), "{}: {}", self.name, finished.stderr);
        assert_eq!(finished.stdout, self.output, "{}", self.name);
        assert_eq!(finished.stderr, "", "{}", self.name);
    }
}

/// They all wait most of the time, so they wait together: for 25 seconds.
#[test]
fn on_the_real_clock() {
    let start = Instant::now();
    let transcripts = Transcript::all();
    assert!(transcripts.len() >= 8, "transcripts are missing");
    let running: Vec<_> = transcripts
        .iter()
        .filter(|transcript| is_enabled(&transcript.name))
        .map(|transcript| (transcript, transcript.start(&[])))
        .collect();
    for (transcript, running) in running {
        transcript.compare(running);
    }
    assert!(start.elapsed() >= Duration::from_secs(25), "nobody has waited");
}

#[test]
fn on_a_virtual_clock() {
    let names = ["kid", "kid_tokio", "kid_friends", "prodcons", "pubsub"];
    for name in names.into_iter().filter(|name| is_enabled(name)) {
        let start = Instant::now();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("transcripts/{name}.txt"));
        let transcript = Transcript::read(&path);
        transcript.compare(transcript.start(&["--virtual"]));
        assert!(start.elapsed() < Duration::from_secs(20), "{name} has waited");
    }
}
