//! Operations without `.await` do nothing.

#![deny(unused_must_use)]

use std::time::Duration;

async fn countdown(task: curio::Task<()>, stream: curio::net::TcpStream) -> curio::Result<()> {
    curio::sleep(Duration::from_secs(1));
    curio::timeout_after(Duration::from_secs(1), task.join());
    task.cancel();
    stream.write_all(b"hello");
    curio::disable_cancellation(task.wait());
    curio::task(async {}).name("never started");
    curio::yield_now();
    Ok(())
}

fn main() {}
