//! `tests/test_thread.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_await_passthrough` | `AWAIT` of what is no coroutine: the compiler tells the two apart |
//! | `test_subprocess_popen` | in `test_subprocess`, as it is for Unix |
//! | `test_thread_context`, `test_async_context_iter` | `async with spawn_thread()`, whose body changes the thread; gone from Python too |
//!
//! | differs | how |
//! |---|---|
//! | `with lock:`, `with TaskGroup():`, `for`, `with aopen()` in a thread | these belong to the kernel's thread: a thread awaits a future that uses them, and has a [`Token`] for what it keeps |
//! | `with timeout_after(1):`, `with disable_cancellation():` in a thread | functions of the same names in [`thread`] |
//! | `test_thread_disable_cancellation` | without `enable_cancellation`, which is gone from Python too |
//! | `test_errors` | a thread without a function, or one that is not started, cannot be written |
//! | `test_spawn_async_thread`, `test_async_thread_call`, `test_good_coro_result` and their like | gone from Python; what they assert holds of [`async_thread`] |

use curio::thread::{self, Token};
use curio::{
    AsyncThread, Error, Event, Lock, Result, TaskGroup, async_thread, check_cancellation, file::File, sleep,
    spawn,
};

use crate::common::{Alone, World, everywhere, run, virtually};
use crate::{Results, cause, is_cancelled, is_value_error, value_error, with};

fn add(x: i32, y: i32) -> impl FnOnce() -> Result<i32> + Send {
    move || Ok(x + y)
}

/// What a coroutine of the tests does: it waits a little, and adds.
async fn add_async(w: World, x: i32, y: i32) -> Result<i32> {
    sleep(w.t(1)).await?;
    Ok(x + y)
}

#[test]
fn test_good_result() {
    virtually(async |_| {
        let t = thread::spawn(add(2, 3));
        assert_eq!(t.join().await?, 5);
        assert!(t.terminated());
        Ok(())
    });
}

#[test]
fn test_bad_result() {
    virtually(async |_| {
        let t = thread::spawn(|| Err::<i32, _>(value_error()));
        let error = t.join().await.unwrap_err();
        assert!(is_value_error(cause(&error)));
        assert!(t.terminated() && !t.cancelled());
        Ok(())
    });
}

#[test]
fn test_cancel_result() {
    everywhere(async |w| {
        let t = thread::spawn(|| thread::await_(|| sleep(std::time::Duration::from_secs(1000))));
        sleep(w.t(1)).await?;
        t.cancel().await?;
        is_cancelled(t.join().await);
        Ok(())
    });
}

#[test]
fn test_thread_good_result() {
    everywhere(async |w| {
        let t = thread::spawn(move || thread::await_(move || add_async(w, 2, 3)));
        assert_eq!(t.join().await?, 5);
        Ok(())
    });
}

#[test]
fn test_thread_bad_result() {
    virtually(async |w| {
        let t = thread::spawn(move || {
            let r = thread::await_(move || async move {
                sleep(w.t(1)).await?;
                Err::<i32, _>(value_error())
            });
            assert!(is_value_error(r.as_ref().unwrap_err()));
            r
        });
        assert!(is_value_error(cause(&t.join().await.unwrap_err())));
        Ok(())
    });
}

#[test]
fn test_thread_cancel_result() {
    everywhere(async |w| {
        let t = thread::spawn(move || {
            let r = thread::await_(move || sleep(w.t(1000)));
            assert!(matches!(r, Err(Error::Cancelled(_))));
            r
        });
        sleep(w.t(1)).await?;
        t.cancel().await?;
        is_cancelled(t.join().await);
        Ok(())
    });
}

#[test]
fn test_thread_sync() {
    everywhere(async |w| {
        let (results, lock) = (Results::default(), Lock::new(()));
        let (log, token) = (Token::new(results.clone())?, Token::new(lock.clone())?);
        let worker = spawn(with!(results, lock; {
            let _held = lock.lock().await?;
            results.append("coro");
            sleep(w.t(1)).await
        }));
        sleep(std::time::Duration::ZERO).await?;
        while !lock.locked() {
            sleep(std::time::Duration::ZERO).await?;
        }
        let t = thread::spawn(move || {
            thread::await_(move || async move {
                let lock = token.get()?;
                let _held = lock.lock().await?;
                log.get()?.append("thread");
                Ok(())
            })
        });
        t.join().await?;
        worker.join().await?;
        results.are(&["coro", "thread"]);
        Ok(())
    });
}

#[test]
fn test_thread_timeout() {
    everywhere(async |w| {
        let t = thread::spawn(move || {
            let r = thread::timeout_after(w.t(1), || thread::await_(move || sleep(w.t(2))));
            assert!(matches!(r, Err(Error::Timeout(_))));
            Ok(())
        });
        t.join().await
    });
}

#[test]
fn test_thread_disable_cancellation() {
    everywhere(async |w| {
        let event = Event::new();
        let inside = Token::new(event.clone())?;
        let t = thread::spawn(move || {
            thread::disable_cancellation(|| {
                thread::await_(move || async move {
                    inside.get()?.set();
                    Ok(())
                })?;
                thread::await_(move || sleep(w.t(1)))?;
                assert!(
                    thread::await_(|| async { check_cancellation() })?,
                    "it is pending"
                );
                Ok(())
            })?;
            thread::await_(move || sleep(w.t(1000)))
        });
        event.wait().await?;
        t.cancel().await?;
        is_cancelled(t.join().await);
        Ok(())
    });
}

#[test]
fn test_thread_read() {
    let _guard = Alone::start();
    let path = std::env::temp_dir().join(format!("curio-test-thread-{}", std::process::id()));
    std::fs::write(&path, "line 1\nline 2\nline 3\n").unwrap();
    let there = path.clone();
    run(async {
        let t = thread::spawn(move || {
            thread::await_(move || async move {
                let mut text = String::new();
                File::open(there).await?.read_to_string(&mut text).await?;
                Ok(text)
            })
        });
        assert_eq!(t.join().await?, "line 1\nline 2\nline 3\n");
        Ok(())
    })
    .unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn test_task_group_thread() {
    virtually(async |w| {
        let t = thread::spawn(move || {
            thread::await_(move || async move {
                let g = TaskGroup::all();
                g.spawn(add_async(w, 1, 1));
                g.spawn(add_async(w, 2, 2));
                g.spawn(add_async(w, 3, 3));
                let mut results = Vec::new();
                while let Some(task) = g.next_done().await? {
                    results.push(task.join().await?);
                }
                results.sort_unstable();
                Ok(results)
            })
        });
        assert_eq!(t.join().await?, [2, 4, 6]);
        Ok(())
    });
}

#[test]
fn test_task_group_spawn_thread() {
    virtually(async |_| {
        let g = TaskGroup::all();
        let t1 = g.spawn_thread(add(1, 1));
        g.spawn_thread(add(2, 2));
        g.spawn_thread(add(3, 3));
        // Joined directly, it leaves the group.
        assert_eq!(t1.join().await?, 2);
        g.join().await?;
        assert_eq!(g.results()?, [4, 6]);
        Ok(())
    });
}

#[test]
fn test_errors() {
    let _guard = Alone::start();
    // Outside of a thread that is served.
    assert!(thread::await_(|| async {}).is_err());
    run(async {
        assert!(matches!(thread::await_(|| async {}), Err(Error::KernelRunning)));
    })
    .unwrap();
}

fn adder(x: i32, y: i32) -> AsyncThread<impl FnOnce() -> Result<i32> + Send, i32> {
    async_thread(move || Ok(x + y))
}

#[test]
fn test_spawn_async_thread() {
    virtually(async |_| {
        assert_eq!(spawn(adder(2, 3)).join().await?, 5);
        Ok(())
    });
}

#[test]
fn test_async_thread_call() {
    virtually(async |_| {
        assert_eq!(adder(2, 3).await?, 5);
        assert_eq!(adder(2, 3).call()?, 5);
        Ok(())
    });
}

#[test]
fn test_async_thread_async_thread_call() {
    virtually(async |_| {
        let outer = async_thread(|| {
            let id = std::thread::current().id();
            let inner = async_thread(move || {
                assert_eq!(std::thread::current().id(), id);
                adder(2, 3).call()
            });
            inner.call()
        });
        assert_eq!(outer.await?, 5);
        Ok(())
    });
}

#[test]
fn test_good_coro_result() {
    virtually(async |w| {
        let t = async_thread(move || thread::await_(move || add_async(w, 2, 3)));
        assert_eq!(t.await?, 5);
        Ok(())
    });
}

#[test]
fn test_bad_coro_result() {
    virtually(async |_| {
        let t = async_thread(|| thread::await_(|| async { Err::<i32, _>(value_error()) }));
        // Its own error, and no TaskError.
        assert!(is_value_error(&t.await.unwrap_err()));
        Ok(())
    });
}

#[test]
fn test_task_wait_thread() {
    virtually(async |w| {
        let nap = move |units| {
            move || {
                thread::await_(move || sleep(w.t(units)))?;
                Ok(units)
            }
        };
        let g = TaskGroup::any();
        let slow = g.spawn_thread(nap(10));
        g.spawn_thread(nap(1));
        g.join().await?;
        assert_eq!(g.result()?, 1);
        assert!(slow.cancelled() && slow.terminated());
        Ok(())
    });
}
