//! Timeouts, shields and foreign futures nest, and `?` goes through all of them.

use std::time::Duration;

use curio::{
    Error, Result, WithTimeout, clock, disable_cancellation, ignore_after, ignore_at, interruptible, run,
    sleep, timeout_after, timeout_at,
};

const SEC: Duration = Duration::from_secs(1);

async fn one() -> Result<u8> {
    Ok(1)
}

fn main() -> Result<()> {
    run(async {
        let nested = timeout_after(9 * SEC, async {
            let inner = timeout_after(8 * SEC, async {
                sleep(Duration::ZERO).await?;
                let n: u16 = "7".parse().map_err(Error::other)?;
                Ok(n)
            })
            .await?;
            let text = ignore_after(7 * SEC, async { Ok("text") }).await?;
            Ok((inner, text))
        })
        .await?;
        assert_eq!(nested, (7, Some("text")));

        // A limit may be absent, and the operation may come first.
        let limit: Option<Duration> = None;
        timeout_after(limit, sleep(Duration::ZERO)).await?;
        one().timeout(SEC).timeout(2 * SEC).timeout(None).await?;
        timeout_at(clock() + SEC, one()).await?;
        assert_eq!(ignore_at(clock() + SEC, one()).await?, Some(1));

        // A shield leaves the type as it is; a foreign future becomes a result.
        let n: u8 = disable_cancellation(async { 5 }).await;
        let m: u8 = disable_cancellation(async { one().await }).await?;
        let f: u8 = interruptible(async { 6 }).timeout(SEC).await?;
        assert_eq!(n + m + f, 12);
        Ok(())
    })
}
