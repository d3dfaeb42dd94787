//! `tests/test_timequeue.py`. The queue of timers is no public thing here; it is tested by what sleeps.

use std::time::Duration;

use curio::{clock, sleep, spawn};

use crate::Results;
use crate::common::in_order;

#[test]
fn test_timequeue_expired() {
    in_order(async |_| {
        let results = Results::default();
        let start = clock();
        // Near and far, and far ones that have come near when they are due.
        let delays = [50_000_000, 1, 999, 1_000, 1_001, 3_600_000, 10, 86_400_000, 2, 1];
        let tasks = delays.map(|millis| {
            let results = results.clone();
            spawn(async move {
                sleep(Duration::from_millis(millis)).await?;
                assert_eq!(clock() - start, Duration::from_millis(millis));
                results.append(millis.to_string());
                Ok(())
            })
        });
        for task in &tasks {
            task.join().await?;
        }
        let mut sorted = delays;
        sorted.sort_unstable();
        let sorted = sorted.map(|millis| millis.to_string());
        results.are(&sorted.each_ref().map(String::as_str));
        Ok(())
    });
}
