//! A task that borrows from the task which spawns it, and may outlive it.

fn main() {
    let _ = curio::run(async {
        let text = String::from("hello");
        let task = curio::spawn(async { println!("{}", text.as_str()) });
        task.join().await
    });
}
