//! Checks of exercise 3: a task that starts many, and waits for all.

use chapter2::generator::{Generator, Step};
use chapter2::kernel::Kernel;
use chapter2::traps::Reply;
use chapter2::voice;

use super::subject::Family;

/// What happens in each turn: who, and what it asks for, `None` at its end.
fn turns(seed: Option<u64>, kids: u32) -> Vec<(&'static str, Option<String>)> {
    let mut kernel = seed.map_or_else(Kernel::new, Kernel::with_seed);
    kernel.spawn("family", Family::new(kids));
    let run = || std::iter::from_fn(|| kernel.run_once()).take(200).collect();
    let (turns, _): (Vec<_>, _) = voice::listen(run);
    assert!(
        turns.len() < 200,
        "still running after 200 turns: does the family start kids without end, or ask again and again for the same?"
    );
    let step = |step| match step {
        Step::Yielded(asked) => Some(asked),
        Step::Complete => None,
    };
    turns
        .into_iter()
        .map(|turn| (turn.name, step(turn.step)))
        .collect()
}

/// What the family asks for.
fn asks(kids: u32) -> Vec<String> {
    let own = turns(None, kids)
        .into_iter()
        .filter(|(name, _)| *name == "family");
    own.filter_map(|(_, asked)| asked).collect()
}

fn count(what: &str, asks: &[String]) -> usize {
    asks.iter().filter(|asked| asked.starts_with(what)).count()
}

fn it_starts_as_many_kids_as_it_is_told() {
    for kids in [0, 1, 5] {
        let asks = asks(kids);
        assert_eq!(
            count("spawn kid", &asks),
            kids as usize,
            "told to start {kids} kids called \"kid\": one request for each, and one for each turn"
        );
    }
    let bricks = turns(None, 1)
        .into_iter()
        .filter(|(name, asked)| *name == "kid" && asked.is_some());
    assert_eq!(bricks.count(), 3, "bricks of a kid: it is `Kid::new(\"kid\", 3)`");
}

fn all_kids_play_at_the_same_time() {
    let asks = asks(4);
    let spawns = asks.iter().take_while(|asked| asked.starts_with("spawn")).count();
    assert_eq!(
        spawns, 4,
        "it waits for a kid before all have been started: then they play one after the other"
    );
}

fn it_waits_for_each_kid_by_its_number() {
    let mut joins: Vec<String> = asks(5)
        .into_iter()
        .filter(|asked| asked.starts_with("join"))
        .collect();
    joins.sort();
    let expected: Vec<String> = (2..=6).map(|kid| format!("join task {kid}")).collect();
    assert_eq!(
        joins, expected,
        "the number of each kid comes with the answer to its spawn, in the turn after it"
    );
}

fn it_ends_after_every_kid(seed: Option<u64>) {
    for kids in [0, 1, 5] {
        let turns = turns(seed, kids);
        let ends = turns.iter().filter(|(_, asked)| asked.is_none());
        let ends: Vec<_> = ends.map(|(name, _)| *name).collect();
        assert_eq!(
            ends.len() as u32,
            kids + 1,
            "with {kids} kids, not everyone has ended"
        );
        assert_eq!(
            ends.last(),
            Some(&"family"),
            "with {kids} kids, the family has ended before a kid: did it wait for each of them?"
        );
    }
}

fn it_stays_complete() {
    let mut family = Family::new(0);
    for _ in 0..5 {
        assert!(
            matches!(family.resume(Reply::Done), Step::Complete),
            "without kids, there is nothing to ask for"
        );
    }
}

exercises::checks! {
    once it_starts_as_many_kids_as_it_is_told;
    once all_kids_play_at_the_same_time;
    once it_waits_for_each_kid_by_its_number;
    under_seeds it_ends_after_every_kid;
    once it_stays_complete;
}
