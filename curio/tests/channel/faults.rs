//! Peers that break the protocol, stop in the middle, or are not what they should be (C4, C5).

use std::io::ErrorKind;
use std::time::Duration;

use curio::{Error, WithTimeout};

use crate::{by_hand, cleanly, io_error};

#[test]
fn a_length_that_is_none() {
    cleanly(async || {
        for head in [&b"\xff\xff\xff\xfe"[..], b"\x80\0\0\0"] {
            let (c, peer) = by_hand().await?;
            peer.write_all(head).await?;
            // It does not get better by asking again, whatever comes.
            for _ in 0..2 {
                io_error(
                    c.recv_bytes().await,
                    ErrorKind::InvalidData,
                    "does not talk this protocol",
                );
                peer.write_all(b"\0\0\0\x02hi").await?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_message_over_the_limit() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        c.set_message_limit(100);
        peer.write_all(&[&100_i32.to_be_bytes()[..], &[7; 100]].concat())
            .await?;
        assert_eq!(c.recv_bytes().await?, [7; 100]);
        peer.write_all(&101_i32.to_be_bytes()).await?;
        for _ in 0..2 {
            io_error(
                c.recv_bytes().await,
                ErrorKind::InvalidData,
                "of 101 bytes, and the limit is 100",
            );
        }
        // It can still be told.
        c.send("too long").await?;
        Ok(())
    });
}

/// What is only announced costs nothing, and what nobody could have is refused at once.
#[test]
fn a_message_that_is_only_announced() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        c.set_message_limit(usize::MAX);
        peer.write_all(b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xffx")
            .await?;
        let waits = c.recv_bytes().timeout(Duration::from_millis(5)).await;
        assert!(matches!(waits, Err(Error::Timeout(_))), "{waits:?}");
        c.set_message_limit(1 << 40);
        io_error(c.recv_bytes().await, ErrorKind::InvalidData, "the limit is");
        Ok(())
    });
}

#[test]
fn somebody_who_talks_something_else() {
    cleanly(async || {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "\u{7f}ELF\u{2}\u{1}\u{1}",
            "SSH-2.0-OpenSSH",
        ] {
            let (c, peer) = by_hand().await?;
            peer.write_all(text.as_bytes()).await?;
            io_error(
                c.recv::<String>().await,
                ErrorKind::InvalidData,
                "and the limit is",
            );
        }
        Ok(())
    });
}

#[test]
fn a_buffer_that_is_too_short_loses_nothing() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        peer.write_all(b"\0\0\0\x05hello").await?;
        let mut buf = [0; 8];
        io_error(
            c.recv_bytes_into(&mut buf[..4]).await,
            ErrorKind::InvalidInput,
            "5 bytes does not fit into a buffer of 4",
        );
        assert_eq!(c.recv_bytes_into(&mut buf).await?, 5);
        assert_eq!(&buf, b"hello\0\0\0");
        Ok(())
    });
}
