//! A task that gives a bare value.

fn main() {
    let _ = curio::run(async {
        let task = curio::spawn(async { 1u32 + 2 });
        task.join().await
    });
}
