//! A task whose error is somebody else's.

async fn read() -> Result<String, std::io::Error> {
    std::fs::read_to_string("poem.txt")
}

fn main() {
    let _ = curio::run(async {
        curio::spawn(read());
        Ok(())
    });
}
