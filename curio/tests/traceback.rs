//! Where a task is: its calls, found out without any help of its own.

#![allow(missing_docs)]

mod common;

use std::rc::Rc;
use std::time::Duration;

use common::Watchdog;
use curio::traceback::Traceback;
use curio::{Clock, Kernel, Queue, Result, Task, run, sleep, spawn, yield_now};

const LONG: Duration = Duration::from_secs(1000);

/// The visible frames of each stack: function and line.
fn seen(traceback: &Traceback) -> Vec<Vec<(String, u32)>> {
    let of = |stack: &curio::traceback::Stack| {
        let frames = stack.frames().iter().filter(|frame| !frame.is_hidden());
        frames
            .map(|frame| {
                assert!(
                    frame.file().unwrap().ends_with("curio/tests/traceback.rs"),
                    "{frame:?}"
                );
                let name = frame.function().rsplit("::").next().unwrap();
                (name.to_string(), frame.line().unwrap())
            })
            .collect()
    };
    traceback.stacks().iter().map(of).collect()
}

async fn innermost() -> Result<()> {
    sleep(LONG).await // LINE innermost
}

async fn middle() -> Result<()> {
    innermost().await // LINE middle
}

async fn outer() -> Result<()> {
    middle().await // LINE outer
}

/// The line of this file that ends with this mark.
fn line(mark: &str) -> u32 {
    let mark = format!("// LINE {mark}");
    let at = include_str!("traceback.rs")
        .lines()
        .position(|line| line.ends_with(&mark));
    at.unwrap() as u32 + 1
}

#[test]
fn a_sleeping_task_in_async_functions() {
    let _guard = Watchdog::start();
    run(async {
        let kid = spawn(outer());
        yield_now().await?;
        let traceback = kid.traceback().await?;
        println!("{traceback}");
        println!("{traceback:#}");
        let at = |name: &str| (name.to_string(), line(name));
        assert_eq!(seen(&traceback), [[at("outer"), at("middle"), at("innermost")]]);
        Ok(())
    })
    .unwrap();
}
