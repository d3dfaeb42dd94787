//! What we cannot do yet: two ordinary functions that should take turns, and cannot.

/// The parent, who counts down to the departure.
pub fn countdown(from: u32) {
    println!("countdown: Shoes on, please!");
    for n in (1..=from).rev() {
        println!("countdown: T-minus {n}");
    }
    println!("countdown: We're leaving!");
}

/// The kid, who lays one brick after the other.
pub fn kid(bricks: u32) {
    for brick in 1..=bricks {
        println!("kid: brick {brick}");
    }
}

/// Calls one, then the other. There is no third way.
pub fn run() {
    countdown(3);
    kid(3);
}
