//! `tests/test_file.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_read1`, `test_readinto1` | `read` is one call of the system's |
//! | `test_must_be_asynccontext`, `test_bad_usage` | a file is open when it is there |
//! | `test_sync_iter`, `test_sync_with`, `test_file_misc` | Python's `for`, `with` and `next()` |
//! | `test_read_context` | the older form, gone from Python too |
//!
//! | differs | how |
//! |---|---|
//! | names | `readline`, `readlines` and `async for` are `read_line` and `lines` |
//! | `anext(f, sentinel)` | `None` at the end |
//! | `test_writelines` | `write_all`, of what is one piece |
//!
//! Files are of the real world, so these run on the real clock.

use std::io::{Read as _, SeekFrom};
use std::path::PathBuf;

use crate::common::{Alone, run};
use curio::Result;
use curio::file::{File, OpenOptions};

const TEXT: &str = "line 1\nline 2\nline 3\n";

/// A file with some text, which is removed in the end.
struct Input(PathBuf);

impl Input {
    fn new(test: &str) -> Input {
        let path = std::env::temp_dir().join(format!("curio-test-file-{test}-{}", std::process::id()));
        std::fs::write(&path, TEXT).unwrap();
        Input(path)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn with_input(test: &str, program: impl AsyncFnOnce(PathBuf) -> Result<()>) {
    let input = Input::new(test);
    run(program(input.0.clone())).unwrap();
}

#[test]
fn test_read() {
    let _guard = Alone::start();
    with_input("read", async |path| {
        let mut f = File::open(path).await?;
        let mut data = [0; 6];
        assert_eq!(f.read(&mut data).await?, 6);
        assert_eq!(&data, b"line 1");
        let mut rest = [0; 100];
        let n = f.read(&mut rest).await?;
        assert_eq!(&rest[..n], &TEXT.as_bytes()[6..]);
        assert_eq!(f.read(&mut rest).await?, 0);
        Ok(())
    });
}

#[test]
fn test_readall() {
    let _guard = Alone::start();
    with_input("readall", async |path| {
        let mut f = File::open(path).await?;
        let (mut bytes, mut text) = (Vec::new(), String::new());
        assert_eq!(f.read_to_end(&mut bytes).await?, TEXT.len());
        assert_eq!(bytes, TEXT.as_bytes());
        f.rewind().await?;
        assert_eq!(f.read_to_string(&mut text).await?, TEXT.len());
        assert_eq!(text, TEXT);
        Ok(())
    });
}

#[test]
fn test_readinto() {
    let _guard = Alone::start();
    with_input("readinto", async |path| {
        let mut f = File::open(path).await?;
        let mut data = [0; 21];
        f.read_exact(&mut data).await?;
        assert_eq!(&data, TEXT.as_bytes());
        assert!(f.read_exact(&mut data).await.is_err(), "the file has ended");
        Ok(())
    });
}

#[test]
fn test_readline() {
    let _guard = Alone::start();
    with_input("readline", async |path| {
        let mut f = File::open(path).await?;
        let (mut data, mut line) = (Vec::new(), String::new());
        while f.read_line(&mut line).await? > 0 {
            data.push(std::mem::take(&mut line));
        }
        assert_eq!(data, ["line 1\n", "line 2\n", "line 3\n"]);
        Ok(())
    });
}

#[test]
fn test_readlines() {
    let _guard = Alone::start();
    with_input("readlines", async |path| {
        let mut f = File::open(path).await?;
        let mut data = Vec::new();
        while f.read_until(b'\n', &mut data).await? > 0 {}
        assert_eq!(data, TEXT.as_bytes());
        Ok(())
    });
}

#[test]
fn test_readiter() {
    let _guard = Alone::start();
    with_input("readiter", async |path| {
        let mut f = File::open(path).await?;
        let (mut lines, mut data) = (f.lines(), Vec::new());
        while let Some(line) = lines.next().await {
            data.push(line?);
        }
        assert_eq!(data, ["line 1", "line 2", "line 3"]);
        Ok(())
    });
}

#[test]
fn test_read_anext() {
    let _guard = Alone::start();
    with_input("read_anext", async |path| {
        let mut f = File::open(path).await?;
        let mut lines = f.lines();
        assert_eq!(lines.next().await.unwrap()?, "line 1");
        assert_eq!(lines.next().await.unwrap()?, "line 2");
        Ok(())
    });
}

#[test]
fn test_read_anext2() {
    let _guard = Alone::start();
    with_input("read_anext2", async |path| {
        let mut f = File::open(path).await?;
        f.seek(SeekFrom::End(0)).await?;
        assert!(f.lines().next().await.is_none());
        Ok(())
    });
}

#[test]
fn test_write() {
    let _guard = Alone::start();
    with_input("write", async |path| {
        let mut f = File::create(&path).await?;
        assert_eq!(f.write(b"Hello World\n").await?, 12);
        f.write_all(b"and more\n").await?;
        f.flush().await?;
        drop(f);
        assert_eq!(std::fs::read(&path)?, b"Hello World\nand more\n");
        Ok(())
    });
}

#[test]
fn test_writelines() {
    let _guard = Alone::start();
    with_input("writelines", async |path| {
        let mut f = File::create(&path).await?;
        f.write_all(&["Hello World\n", "Second Line\n"].concat().into_bytes())
            .await?;
        drop(f);
        assert_eq!(std::fs::read(&path)?, b"Hello World\nSecond Line\n");
        Ok(())
    });
}

#[test]
fn test_seek_tell() {
    let _guard = Alone::start();
    with_input("seek_tell", async |path| {
        let mut f = File::open(path).await?;
        assert_eq!(f.seek(SeekFrom::Start(7)).await?, 7);
        assert_eq!(f.stream_position().await?, 7);
        let mut data = [0; 6];
        f.read_exact(&mut data).await?;
        assert_eq!(&data, b"line 2");
        assert_eq!(f.stream_position().await?, 13);
        assert_eq!(f.seek(SeekFrom::End(-7)).await?, 14);
        Ok(())
    });
}

#[test]
fn test_truncate() {
    let _guard = Alone::start();
    with_input("truncate", async |path| {
        let mut f = OpenOptions::new().read(true).write(true).open(&path).await?;
        f.set_len(6).await?;
        assert_eq!(f.metadata().await?.len(), 6);
        let mut text = String::new();
        f.read_to_string(&mut text).await?;
        assert_eq!(text, "line 1");
        Ok(())
    });
}

#[test]
fn test_blocking() {
    let _guard = Alone::start();
    with_input("blocking", async |path| {
        let mut f = File::open(path).await?;
        let text = f.blocking(|mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text)
        });
        assert_eq!(text.await?, TEXT);
        f.rewind().await?;
        let mut file = f.into_std().await?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        assert_eq!(text, TEXT);
        Ok(())
    });
}
