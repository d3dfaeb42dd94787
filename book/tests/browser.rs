//! The kernel player in a real browser.
//!
//! These tests need chromium, and so are run only when asked for: `cargo test -p book --test browser -- --ignored`.

#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Command;

use common::Fixture;
use common::chromium::Chromium;
use serde_json::{Value, json};

const TRACE: &str = include_str!("../../chapters-code/chapter02-traps/traces/family.jsonl");

/// Two players of the same run, between two pages, so that the book's own arrow keys lead somewhere.
fn open(browser: &mut Chromium, page: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("demo/traces/run.jsonl", TRACE);
    let player = "{{player demo run \"Kid and parent\"}}\n\n";
    fixture.write(
        "book/pages/one.md",
        &format!("# One\n\n## The sum\n\n{player}{player}After them.\n"),
    );
    let output = fixture.book(&["build"]).output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    browser.open(&fixture.0.path().join("target/book").join(page));
    fixture
}

/// An element of the first or the second player.
fn part(player: usize, selector: &str) -> String {
    format!("document.querySelectorAll('kernel-player')[{player}].querySelector('{selector}')")
}

fn text(browser: &mut Chromium, player: usize, selector: &str) -> String {
    browser.text(&format!("{}.textContent", part(player, selector)))
}

/// Which step is shown.
fn step(browser: &mut Chromium, player: usize) -> u64 {
    let when = text(browser, player, ".kp-when");
    let number = when.split(' ').nth(1).and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("{when}"))
}

#[test]
#[ignore = "needs chromium"]
fn a_run_is_gone_through_by_keyboard() {
    let mut browser = Chromium::start();
    let _fixture = open(&mut browser, "one.html");
    let page = browser.text("location.href");

    // Nothing is said before it is used: a page may have several.
    assert_eq!(browser.text(&format!("{}.ariaLive", part(0, ".kp-text"))), "off");
    for _ in 0..60 {
        browser.press(&["Tab"]);
        if browser.ask(&format!("document.activeElement === {}", part(0, ".kp-stage"))) == json!(true) {
            break;
        }
    }
    let outline = format!("getComputedStyle({}).outlineStyle", part(0, ".kp-stage"));
    assert_eq!(browser.text(&outline), "solid", "the focus can be seen");

    assert_eq!(step(&mut browser, 0), 1);
    browser.press(&["ArrowRight"]);
    assert_eq!(step(&mut browser, 0), 2);
    assert_eq!(
        text(&mut browser, 0, ".kp-text"),
        "parent leaves the ready queue and runs."
    );
    assert_eq!(
        browser.text(&format!("{}.ariaLive", part(0, ".kp-text"))),
        "polite"
    );
    assert_eq!(text(&mut browser, 0, "[aria-label=Running]"), "parent");
    assert_eq!(text(&mut browser, 0, "[aria-label=\"Ready queue\"]"), "nobody");

    // A question comes before the next step. A wrong answer is told as wrong, and the step is shown.
    browser.press(&["ArrowRight"]);
    assert_eq!(step(&mut browser, 0), 2);
    assert_eq!(
        text(&mut browser, 0, ".kp-text"),
        "Before the next step: How will this turn of parent end?"
    );
    browser.press(&["3"]);
    assert_eq!(step(&mut browser, 0), 3);
    assert_eq!(
        text(&mut browser, 0, ".kp-text"),
        "Not quite: it goes back into the ready queue. parent says “You may play until we leave.”"
    );
    assert_eq!(text(&mut browser, 0, ".kp-score"), "(0 of 1 right)");

    // A right one, pressed with Tab and Enter.
    browser.press(&["ArrowRight"; 4]);
    assert_eq!(step(&mut browser, 0), 6);
    browser.ask(&format!("{}.focus()", part(0, ".kp-choice:nth-of-type(2)")));
    browser.press(&["Enter"]);
    let told = text(&mut browser, 0, ".kp-text");
    assert_eq!(
        told,
        "Right: kid. kid stands first in the ready queue. kid leaves the ready queue and runs."
    );
    let focused = browser.ask(&format!("document.activeElement === {}", part(0, ".kp-stage")));
    assert_eq!(focused, json!(true), "the focus is not lost with the question");

    // Back, to the ends, and not beyond them.
    browser.press(&["ArrowLeft"]);
    assert_eq!(step(&mut browser, 0), 6);
    browser.press(&["End"]);
    assert_eq!(step(&mut browser, 0), 24);
    assert_eq!(text(&mut browser, 0, "[aria-label=Ended]"), "kidparent");
    browser.press(&["ArrowRight"]);
    assert_eq!(step(&mut browser, 0), 24);
    browser.press(&["Home", "ArrowLeft"]);
    assert_eq!(step(&mut browser, 0), 1);
    // Who does not want to answer goes on.
    browser.press(&["ArrowRight", "ArrowRight", "ArrowRight"]);
    assert_eq!(step(&mut browser, 0), 4);

    // The other player has not moved, nor has the page been left.
    assert_eq!(step(&mut browser, 1), 1);
    assert_eq!(browser.text("location.href"), page);
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn buttons_do_what_keys_do() {
    let mut browser = Chromium::start();
    let _fixture = open(&mut browser, "one.html");
    let mut click = |selector: &str| {
        browser.ask(&format!("{}.click()", part(1, selector)));
        step(&mut browser, 1)
    };
    assert_eq!(click(".kp-ask input"), 1);
    // Without questions now.
    assert_eq!(click(".kp-forward"), 2);
    assert_eq!(click(".kp-forward"), 3);
    assert_eq!(click(".kp-back"), 2);
    assert_eq!(click(".kp-last"), 24);
    assert_eq!(click(".kp-first"), 1);

    // A step on the strip: its middle is ten steps on.
    let strip = part(1, ".kp-strip");
    browser.ask(&format!(
        "{{ const box = {strip}.querySelector('.now').getBoundingClientRect(); {strip}.dispatchEvent(new MouseEvent(\
         'click', {{ clientX: box.left + 10.5 * box.width, clientY: box.top + 5 }})) }}"
    ));
    assert_eq!(step(&mut browser, 1), 11);

    // The table is there on request, as text.
    let shown = format!("{}.checkVisibility()", part(1, ".kp-table"));
    assert_eq!(browser.ask(&shown), json!(false));
    browser.ask(&format!("{}.click()", part(1, ".kp-more")));
    assert_eq!(browser.ask(&shown), json!(true));
    let cell = text(&mut browser, 1, "tbody tr:nth-child(8) td:nth-child(3)");
    assert_eq!(cell, "kid says “brick 1”");

    // It plays, and pauses.
    let label = format!("{}.ariaLabel", part(1, ".kp-play"));
    assert_eq!(browser.text(&label), "Play");
    browser.ask(&format!("{}.click()", part(1, ".kp-play")));
    assert_eq!(browser.text(&label), "Pause");
    browser.ask(&format!(
        "new Promise((done) => new MutationObserver(done).observe({}, {{ childList: true }}))",
        part(1, ".kp-when")
    ));
    assert_eq!(step(&mut browser, 1), 12);
    browser.ask(&format!("{}.click()", part(1, ".kp-play")));
    assert_eq!(browser.text(&label), "Play");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn who_wants_no_motion_gets_none() {
    let mut browser = Chromium::start();
    for (motion, expected) in [("no-preference", true), ("reduce", false)] {
        browser.pretend("screen", motion);
        let _fixture = open(&mut browser, "one.html");
        // The parent goes from the queue to where it runs.
        browser.ask(&format!("{}.click()", part(0, ".kp-forward")));
        let moves = browser.ask("document.getAnimations().length > 0");
        assert_eq!(moves, json!(expected), "{motion}");
    }
}

#[test]
#[ignore = "needs chromium"]
fn without_scripts_there_are_a_strip_and_a_table() {
    let mut browser = Chromium::start();
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    let _fixture = open(&mut browser, "one.html");
    for selector in [".kp-strip svg", ".kp-table table", ".kp-table tr:last-child"] {
        let shown = browser.ask(&format!("{}.checkVisibility()", part(0, selector)));
        assert_eq!(shown, json!(true), "{selector}");
    }
    assert_eq!(
        browser.ask("document.querySelectorAll('.kp-stage').length"),
        json!(0)
    );
    // What a screen reader gets.
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("nodes");
    let has = |role: &str, name: &str| {
        let same = |node: &Value| node["role"]["value"] == role && node["name"]["value"] == name;
        nodes.iter().any(same)
    };
    assert!(has("cell", "kid says “brick 1”"));
    assert!(has("columnheader", "Ready queue"));
    assert!(has("table", "Kid and parent, step by step"));
    let strip = "Kid and parent: parent runs in turns 1, 3 and 7; kid runs in turns 2, 4, 5 and 6.";
    assert!(has("image", strip), "{tree}");
}

#[test]
#[ignore = "needs chromium"]
fn on_paper_there_are_a_strip_and_a_table() {
    let mut browser = Chromium::start();
    let _fixture = open(&mut browser, "print.html");
    browser.pretend("print", "no-preference");
    for player in 0..2 {
        for (selector, expected) in [
            (".kp-strip svg", true),
            (".kp-table tr:last-child", true),
            (".kp-stage", false),
            (".kp-more", false),
            (".now", false),
        ] {
            let shown = browser.ask(&format!("{}.checkVisibility()", part(player, selector)));
            assert_eq!(shown, json!(expected), "{selector}");
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
}

/// The contrast of two colours, each `rgb(r, g, b)`, as WCAG 2 counts it.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| -> f64 {
        let numbers = colour
            .trim_start_matches("rgb(")
            .trim_end_matches(')')
            .split(", ");
        let linear = numbers.map(|number| {
            let part = number.parse::<f64>().unwrap_or_else(|_| panic!("{colour}")) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        linear
            .zip([0.2126, 0.7152, 0.0722])
            .map(|(part, weight)| part * weight)
            .sum()
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
#[ignore = "needs chromium"]
fn every_theme_and_width_can_be_read() {
    let mut browser = Chromium::start();
    let _fixture = open(&mut browser, "one.html");
    for theme in ["light", "rust", "coal", "navy", "ayu"] {
        browser.ask(&format!("document.documentElement.className = 'js {theme}'"));
        let page = browser.text("getComputedStyle(document.documentElement).backgroundColor");
        let row = part(0, "g:has(.runs)");
        for colour in 0..6 {
            browser.ask(&format!("{row}.setAttribute('class', 'colour{colour}')"));
            let bar = browser.text(&format!("getComputedStyle({row}.querySelector('.runs')).fill"));
            assert!(contrast(&bar, &page) >= 3.0, "{theme}: {bar} on {page}");
        }
        let text = browser.text(&format!("getComputedStyle({}).color", part(0, ".kp-chip")));
        let chip = browser.text(&format!(
            "getComputedStyle({}).backgroundColor",
            part(0, ".kp-chip")
        ));
        assert!(contrast(&text, &chip) >= 4.5, "{theme}: {text} on {chip}");
    }
    for width in [320, 500, 900, 1600] {
        browser.resize(width);
        let widest = browser.ask("document.scrollingElement.scrollWidth").as_u64();
        assert!(
            widest.is_some_and(|widest| widest <= u64::from(width)),
            "{width}: {widest:?}"
        );
        let outside = format!(
            "[...{}.querySelectorAll('*')].filter((part) => part.getBoundingClientRect().right > innerWidth).length",
            part(0, ".kp-stage")
        );
        assert_eq!(browser.ask(&outside), json!(0), "{width}");
    }
}

/// The book itself: nothing is missing, and no script fails.
#[test]
#[ignore = "needs chromium"]
fn no_page_complains() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_book"))
        .arg("build")
        .env("CARGO_MANIFEST_DIR", book)
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let site = text.trim().strip_prefix("The book is in ").expect("the place");
    let entries = std::fs::read_dir(site).expect("readable");
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    // `toc.html` is a part of pages without scripts, and the links of `404.html` are right on a server only.
    let is_page = |page: &Path| page.extension().is_some_and(|end| end == "html");
    pages.retain(|page| is_page(page) && !page.ends_with("toc.html") && !page.ends_with("404.html"));
    assert!(pages.len() > 10, "{pages:?}");
    let mut browser = Chromium::start();
    for scheme in ["light", "dark"] {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.call("Emulation.setEmulatedMedia", json!({"features": features}));
        for page in &pages {
            browser.open(page);
            assert_eq!(browser.complaints, [""; 0], "{scheme}: {}", page.display());
            let theme = browser.text("document.documentElement.className");
            let expected = if scheme == "light" { "light" } else { "navy" };
            assert!(theme.contains(expected), "{}: {theme}", page.display());
        }
    }
}
