//! What a task may be, without an annotation.

use std::time::Duration;

use curio::{Error, Result, Task, WithTimeout, run, sleep, spawn, spawn_daemon, task};

async fn fetch(n: u32) -> Result<u32> {
    sleep(Duration::ZERO).await?;
    Ok(n)
}

async fn forever() -> Result<()> {
    loop {
        sleep(Duration::from_secs(1)).await?;
    }
}

/// A body that only panics gives no value either. (Not called: it would only make noise.)
fn only_compiled() {
    spawn(async { panic!("to be written") }).detach();
}

fn main() {
    let _ = only_compiled;
    // The value of `run` and of a task follows from the last `Ok`; the error type never has to be named.
    let sum = run(async {
        // Gives nothing.
        let unit: Task<()> = spawn(async { println!("hello") });
        unit.join().await?;

        // Gives a value.
        let seven = spawn(async {
            let n = fetch(3).await?;
            Ok(n + 4)
        });

        // `?` on an error of the standard library.
        let addr = spawn(async { Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?) });
        let _: std::net::SocketAddr = addr.join().await?;

        // Never ends: an endless loop has the type `!`.
        let endless = spawn(async {
            loop {
                std::future::pending::<()>().await;
            }
        });
        endless.detach();

        // An endless loop with `?` gets its type from a function.
        spawn_daemon(forever());

        // Names, functions, references to what the main task owns.
        let named = task(fetch(1)).name("one").spawn();
        let tasks: Vec<Task<u32>> = (0..3).map(|n| spawn(fetch(n))).collect();
        let mut sum = seven.join().await? + named.join().timeout(Duration::from_secs(9)).await?;
        for task in &tasks {
            sum += task.join().await?;
        }
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 7 + 1 + 3);

    // A main task that gives nothing, one that borrows, and one that fails.
    run(async {}).unwrap();
    let mut text = String::new();
    run(async { text.push('x') }).unwrap();
    assert_eq!(text, "x");
    let failed = run(async { Err::<(), _>(Error::other("no")) });
    assert!(failed.is_err());
}
