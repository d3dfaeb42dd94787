//! What runs on the kernel. The crate has none of this.

pub mod channel;
pub mod join2;
pub mod record;
pub mod report;
pub mod voice;

use std::time::{Duration, Instant};

use crate::{Kernel, Result, clock, sleep, sleep_until, spawn, task};
use channel::Channel;
use join2::join2;
use voice::say;

/// So many seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A watch that is held while something is said.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// It shows 0 now.
    pub fn start() -> Watch {
        Watch(clock())
    }

    /// Says a line, with the seconds since the start.
    pub fn say(self, who: &str, what: &str) {
        let passed = (clock() - self.0).as_secs_f32();
        say(&format!("{passed:>6} s  {who}"), what);
    }
}

/// Counts down, one number a second.
pub async fn countdown(watch: Watch, from: u32) -> Result<()> {
    for left in (1..=from).rev() {
        watch.say("parent", &format!("T-minus {left}"));
        sleep(seconds(1)).await?;
    }
    Ok(())
}

/// The kid, who is busy for a long time.
pub async fn kid(watch: Watch) -> Result<()> {
    watch.say("kid", "I build the Millennium Falcon.");
    sleep(seconds(1000)).await?;
    watch.say("kid", "Look!");
    Ok(())
}

/// The parent: five seconds to put the shoes on, a countdown, and then we leave.
pub async fn parent() -> Result<()> {
    let watch = Watch::start();
    let kid = spawn(kid(watch));
    sleep(seconds(5)).await?;
    watch.say("parent", "Let's go!");
    spawn(countdown(watch, 3)).join().await?;
    watch.say("parent", "We're leaving!");
    kid.join().await?;
    watch.say("parent", "Leaving.");
    Ok(())
}

/// Somebody who sleeps so long, and says so.
async fn sleeper(watch: Watch, name: &'static str, time: Duration) -> Result<()> {
    sleep(time).await?;
    watch.say(name, "Good morning!");
    Ok(())
}

/// Some who wake up in another order than they went to bed; two at the same time, the one who went first.
pub async fn dormitory() -> Result<()> {
    let watch = Watch::start();
    let mut beds = Vec::new();
    for (name, time) in [("grandma", 7), ("kid", 9), ("friend", 7), ("baby", 3), ("cat", 0)] {
        beds.push(task(sleeper(watch, name, seconds(time))).name(name).spawn());
    }
    for bed in beds {
        bed.join().await?;
    }
    Ok(())
}

/// A watchman who makes a round every ten seconds. The first takes three seconds, the second four, the third five.
pub async fn watchman() -> Result<()> {
    let watch = Watch::start();
    let start = clock();
    for round in 1..=3 {
        watch.say("watchman", &format!("round {round} begins"));
        sleep(seconds(2 + round)).await?;
        sleep_until(start + seconds(10) * round as u32).await?;
    }
    watch.say("watchman", "home");
    Ok(())
}

/// Two kettles at once: it takes as long as the slower one.
pub async fn kettles() -> Result<()> {
    let watch = Watch::start();
    let (tea, soup) = join2(sleep(seconds(3)), sleep(seconds(8))).await;
    tea.and(soup)?;
    watch.say("cook", "Tea and soup!");
    Ok(())
}

/// Somebody who calls something into a channel every two seconds.
async fn caller(channel: Channel, calls: &'static [&'static str]) -> Result<()> {
    for call in calls {
        sleep(seconds(2)).await?;
        channel.send(call.to_string());
    }
    Ok(())
}

/// The call after which there is none.
const LAST_CALL: &str = "Out!";

/// Somebody who takes a while to do what comes out of a channel, and ends with the last call.
async fn listener(watch: Watch, channel: Channel) -> Result<()> {
    loop {
        let call = channel.receive().await?;
        watch.say("kid", &format!("({call}) Yes, yes."));
        if call == LAST_CALL {
            return Ok(());
        }
        sleep(seconds(3)).await?;
    }
}

/// A channel between two tasks who have their own idea of time.
pub async fn calls() -> Result<()> {
    let watch = Watch::start();
    let channel = Channel::new();
    let kid = spawn(listener(watch, channel.clone()));
    let parent = spawn(caller(channel, &["Shoes!", "Jacket!", LAST_CALL]));
    parent.join().await?;
    kid.join().await
}

/// Kid and parent.
pub fn family(kernel: &Kernel) {
    kernel.spawn(parent());
}
