//! Sends its input to a server at a path, and prints what the server says: both at once.

use curio::stream::{stdin, stdout};
use curio::{Result, TaskGroup, open_unix_connection, run};

#[path = "common/path.rs"]
mod path;

const HELP: &str = "\
Sends each line of its input to the server at a path, and prints what the
server says.

Usage: cargo run --example unix_client -- [PATH]

PATH is /tmp/curio-echo if none is given (unix_echo, if it runs).

Options:
  --help  show this help
";

async fn unix_client(path: &str) -> Result<()> {
    let (mut from, mut to) = open_unix_connection(path).await?.into_stream().split();
    TaskGroup::all()
        .scope(async |both| {
            let talks = both.spawn(async move {
                let mut input = stdin()?;
                let mut line = Vec::new();
                while input.read_until(b'\n', &mut line).await? > 0 {
                    to.write_all(&line).await?;
                    line.clear();
                }
                // The server is told that nothing more comes; what it still has to say is printed.
                to.close()
            });
            both.spawn(async move {
                let mut output = stdout()?;
                let mut data = [0; 1000];
                loop {
                    match from.read(&mut data).await? {
                        0 => break,
                        n => output.write_all(&data[..n]).await?,
                    }
                }
                // Nobody is there any more who would want to hear the next line.
                talks.cancel_nowait();
                Ok(())
            });
        })
        .await
}

fn main() -> Result<()> {
    let path = path::read(HELP);
    run(unix_client(&path))
}
