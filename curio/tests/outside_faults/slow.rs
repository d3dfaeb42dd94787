//! A peer that sends a byte a second, on the virtual clock: an hour of it takes no time.

use std::time::Duration;

use curio::net::{TcpListener, TcpStream};
use curio::{Clock, Error, Kernel, Result, clock, run_server, sleep, spawn, timeout_after};

use crate::common::{Alone, counted};

const SEC: Duration = Duration::from_secs(1);

/// Says it byte by byte. The system must not wait whether there is more: that would take real time.
async fn trickle(stream: &TcpStream, text: &str) -> Result<()> {
    stream.set_nodelay(true)?;
    for byte in text.bytes() {
        sleep(SEC).await?;
        stream.write_all(&[byte]).await?;
    }
    Ok(())
}

/// Runs a program with a server that answers each line. Whoever needs longer than 10.5 s for a line is cut off.
fn with_server(program: impl AsyncFnOnce(std::net::SocketAddr) -> Result<()>) {
    let _guard = Alone::start();
    let kernel = counted(Kernel::builder().clock(Clock::Virtual).build().unwrap());
    let ended = kernel.run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(run_server(listener, async |client: TcpStream, _| {
            let mut client = client.into_stream();
            let mut line = String::new();
            loop {
                match timeout_after(21 * SEC / 2, client.read_line(&mut line)).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => client.write_all(line.to_uppercase().as_bytes()).await?,
                    Err(Error::Timeout(_)) => {
                        // What has come is not lost, though it was no line.
                        let half = client.buffered().len();
                        return client.write_all(format!("{half} bytes\n").as_bytes()).await;
                    }
                    Err(error) => return Err(error),
                }
                line.clear();
            }
        }));
        program(addr).await?;
        server.cancel().await
    });
    ended.unwrap();
}

#[test]
fn its_lines_come_in_time() {
    with_server(async |addr| {
        let begun = clock();
        let slow = spawn(async move {
            let client = TcpStream::connect(addr).await?;
            for _ in 0..450 {
                trickle(&client, "an hour\n").await?;
                let mut answer = [0; 8];
                client.read_exact(&mut answer).await?;
                assert_eq!(&answer, b"AN HOUR\n");
            }
            Ok(())
        });
        // Nobody else has to wait for it.
        for _ in 0..100 {
            let client = TcpStream::connect(addr).await?;
            client.write_all(b"quick\n").await?;
            client.read_exact(&mut [0; 6]).await?;
        }
        assert!(clock() - begun < SEC);
        slow.join().await?;
        assert!(clock() - begun >= 3600 * SEC);
        Ok(())
    });
}

#[test]
fn its_lines_come_too_late() {
    with_server(async |addr| {
        let client = TcpStream::connect(addr).await?;
        trickle(&client, "this").await?;
        // The limit is for the whole line: ever new bytes do not put it off.
        let begun = clock();
        let mut answer = String::new();
        let (sent, read) = futures::join!(trickle(&client, " is far too"), async {
            client.as_stream().read_line(&mut answer).await
        });
        let _ = sent; // the last of it goes where nobody is any more
        read?;
        assert_eq!(answer, "10 bytes\n");
        assert!(clock() - begun >= 7 * SEC);
        Ok(())
    });
}

/// However often one gives up, every byte is had once.
#[test]
fn one_that_gives_up_again_and_again_loses_nothing() {
    with_server(async |_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let peer = spawn(async move {
            let client = TcpStream::connect(addr).await?;
            trickle(&client, &"0123456789".repeat(20)).await
        });
        let (stream, _) = listener.accept().await?;
        let mut all = [0; 200];
        let (mut done, mut timeouts) = (0, 0);
        while done < all.len() {
            // Every now and then in the very moment in which a byte comes.
            let pause = SEC * (1 + timeouts % 7) / 3;
            match timeout_after(pause, stream.read_exact(&mut all[done..])).await {
                Ok(()) => break,
                Err(Error::Timeout(progress)) => done += progress.bytes(),
                Err(error) => return Err(error),
            }
            timeouts += 1;
        }
        assert!(timeouts > 100, "{timeouts}");
        assert!(all.chunks(10).all(|chunk| chunk == b"0123456789"));
        peer.join().await
    });
}
