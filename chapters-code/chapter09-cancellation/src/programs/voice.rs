//! What the tasks say goes to the console, or into a list for those who want to look at it.

use std::cell::RefCell;

thread_local! {
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Says a line.
pub fn say(who: &str, what: &str) {
    let line = format!("{who}: {what}");
    HEARD.with_borrow_mut(|heard| match heard {
        Some(lines) => lines.push(line),
        None => println!("{line}"),
    });
}

/// Runs this silently. What it returns, and what was said.
pub fn listen<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    HEARD.set(Some(Vec::new()));
    let result = f();
    (result, HEARD.take().unwrap_or_default())
}

/// A voice for another thread. Its lines go to the console, and nowhere if somebody listens here.
pub fn for_a_thread() -> impl Fn(&str, &str) + Send {
    let silent = HEARD.with_borrow(Option::is_some);
    move |who, what| {
        if !silent {
            println!("{who}: {what}");
        }
    }
}
