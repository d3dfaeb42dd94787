//! What a task group's type follows from, without an annotation.

use std::rc::Rc;
use std::time::Duration;

use curio::{Error, Result, Task, TaskGroup, TaskRef, WithTimeout, current_task, run, sleep};

async fn fetch(n: u32) -> Result<u32> {
    sleep(Duration::ZERO).await?;
    Ok(n)
}

async fn friend(_name: &str) -> Result<()> {
    sleep(Duration::from_secs(1000)).await
}

async fn forever() -> Result<()> {
    loop {
        sleep(Duration::from_secs(1)).await?;
    }
}

fn main() {
    let sum = run(async {
        // From a function.
        let g = TaskGroup::all();
        for n in 0..4 {
            g.spawn(fetch(n));
        }
        g.join().await?;
        let sum: u32 = g.results()?.iter().sum();

        // From a block, in a scope, with a body that gives nothing.
        TaskGroup::all()
            .scope(async |g| {
                g.spawn(async { println!("hello") });
                g.spawn(async { Ok(()) });
                g.spawn(friend("Max")).cancel_nowait();
                g.spawn_daemon(forever());
            })
            .await?;

        // With a body that gives something, borrows, and uses `?`.
        let mut seen = Vec::new();
        let seven = TaskGroup::all()
            .scope(async |g| {
                g.spawn(async { Ok(3) });
                g.spawn(async {
                    let n = fetch(4).await?;
                    Ok(n)
                });
                while let Some(task) = g.next_done().await? {
                    seen.push(task.join().await?);
                }
                Ok(7)
            })
            .await?;
        assert_eq!(seen.iter().sum::<u32>(), 7);

        // With a closure that gives a block, and members that spawn siblings.
        let shared = Rc::new("shared");
        TaskGroup::all()
            .scope(|g| async move {
                let siblings = g.clone();
                g.spawn(async move {
                    let sibling: Task<u32> = siblings.spawn(fetch(shared.len() as u32));
                    Ok(sibling.join().await? + 1)
                });
                Ok(())
            })
            .await?;

        // The first `Some`.
        let g = TaskGroup::first_some();
        g.spawn(async { Ok(None) });
        g.spawn(async { Ok(Some("found")) });
        g.join().timeout(Duration::from_secs(9)).await?;
        let found: &str = g.result()?.unwrap_or("nothing");
        assert_eq!(found, "found");

        // References.
        let all: Vec<TaskRef> = vec![current_task(), curio::spawn(fetch(1)).reference()];
        assert_eq!(all.len(), 2);
        Ok(sum + seven)
    });
    assert_eq!(sum.unwrap(), 6 + 7);

    let failed = run(TaskGroup::all().scope(async |g| {
        g.spawn(async { Err::<(), _>(Error::other("no")) });
    }));
    assert!(matches!(failed, Err(Error::Task(_))));
}
