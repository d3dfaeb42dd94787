//! smoke
#![allow(missing_docs)]
use curio::*;
use std::time::*;
fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
#[test]
fn smoke() {
    run(async {
        assert_eq!(run_in_process(fib, 20).await?, 6765);
        println!("{:?}", run_in_process(|()| -> u8 { panic!("x") }, ()).await);
        println!("{:?}", run_in_process(|()| -> u8 { std::process::exit(3) }, ()).await);
        println!("{:?}", run_in_process(|()| -> u8 { std::process::abort() }, ()).await);
        println!("{:?}", run_in_process(|n: usize| vec![7u8; n], 10_000_000).await.map(|v| v.len()));
        println!("{:?}", run_in_process(|v: Vec<u8>| v.len(), vec![1; 10_000_000]).await);
        let s = Instant::now();
        println!("{:?} {:?}", timeout_after(Duration::from_millis(100), run_in_process(fib, 90)).await, s.elapsed());
        let _ = run_in_process(fib, 1).await?;
        let s = Instant::now();
        for i in 0..1000 { run_in_process(|n: u32| n, i).await?; }
        println!("{:?}", s.elapsed() / 1000);
        Ok(())
    }).unwrap();
}
