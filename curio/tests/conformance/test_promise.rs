//! `tests/test_promise.py`, of the `Promise` of 2018; it is [`Promise`] here, and `Result` in Python now.
//!
//! | differs | how |
//! |---|---|
//! | `test_promise_exception`, `test_promise_no_exception` | as a context manager it took the exception of its block: here the block is a function, whose `Result` is set |
//! | `test_promise_internals` | `clear`: a promise is kept once |

use curio::{Error, Promise, PromiseError, Result, sleep, spawn};

use crate::common::virtually;
use crate::{Results, fail, is_value_error, with};

/// Python's `async with promise:`, with the value that it had to set by hand.
async fn keep<T>(promise: &Promise<T>, block: impl Future<Output = Result<T>>) {
    match block.await {
        Ok(value) => promise.set(value),
        Err(error) => promise.set_error(error),
    };
}

#[test]
fn test_promise() {
    virtually(async |w| {
        let (results, promise) = (Results::default(), Promise::new());
        let consumer = spawn(with!(results, promise; {
            results.append("waits");
            results.append(promise.wait().await?);
            Ok(())
        }));
        sleep(w.t(1)).await?;
        assert!(!promise.is_set());
        results.append("sets");
        promise.set("value");
        assert!(promise.is_set());
        consumer.join().await?;
        results.are(&["waits", "sets", "value"]);
        // At once.
        assert_eq!(promise.wait().await?, "value");
        Ok(())
    });
}

#[track_caller]
fn promised_value_error<T: std::fmt::Debug>(result: Result<T>) {
    let Err(Error::Other(other)) = result else {
        panic!("{result:?}")
    };
    let promised = other.get_ref().downcast_ref::<PromiseError>().unwrap();
    assert!(is_value_error(promised.error()));
}

#[test]
fn test_promise_exception() {
    virtually(async |w| {
        let promise = Promise::<()>::new();
        let consumers = [(); 2].map(|()| spawn(with!(promise; promised_value_error(promise.wait().await))));
        sleep(w.t(1)).await?;
        keep(&promise, fail()).await;
        for consumer in consumers {
            consumer.join().await?;
        }
        Ok(())
    });
}

#[test]
fn test_promise_internals() {
    virtually(async |_| {
        let promise = Promise::new();
        assert!(promise.get().is_none());
        assert_eq!(format!("{promise:?}"), "Promise { value: None }");
        assert!(promise.set(1));
        assert!(!promise.set(2) && !promise.set_error(Error::Closed));
        assert_eq!(promise.get().unwrap()?, &1);
        Ok(())
    });
}

#[test]
fn test_promise_no_exception() {
    virtually(async |w| {
        let promise = Promise::new();
        let consumer = spawn(with!(promise; promise.wait().await));
        keep(&promise, async {
            sleep(w.t(1)).await?;
            Ok(7)
        })
        .await;
        assert_eq!(consumer.join().await?, 7);
        Ok(())
    });
}
