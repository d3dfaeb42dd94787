//! A handle belongs to the thread of its kernel.

fn main() {
    let _ = curio::run(async {
        let task = curio::spawn(async {});
        std::thread::spawn(move || task.cancel_nowait());
        Ok(())
    });
}
