//! `?` on an error that must be wrapped first.

async fn number(text: &str) -> curio::Result<u32> {
    let number = text.parse::<u32>()?;
    Ok(number)
}

fn main() {
    println!("{:?}", curio::run(number("7")));
}
