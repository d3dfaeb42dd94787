//! The kernel player: a real run, recorded by a program of the book, to go through step by step.
//!
//! `{{player PACKAGE NAME "TITLE"}}` shows `traces/NAME.jsonl` of the package: the run that `transcripts/NAME.txt` shows,
//! recorded with the option `--record`. What the page gets is complete without JavaScript: a strip (SVG) and a table.
//! The script `theme/player.js` turns it into a player, with the data that stands in the element. All words and states are
//! made here, once, and tested here; the script only shows them. So the table, the voice and the player cannot disagree.
//!
//! Rejected: to let the script read the trace. It would be smaller on the page, but the rules by which the state is rebuilt
//! would exist twice, and a broken trace would break in the reader's browser instead of in the build.

mod questions;
mod regions;
mod run;
mod state;
mod strip;
mod table;
mod trace;
mod words;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use regions::Region;
use run::Run;

/// The most steps that a run may have: a longer one wants a smaller program.
const MOST_STEPS: usize = 200;

/// The HTML that stands in for `{{player PACKAGE NAME "TITLE"}}`. It is one line, for a blank one would end it.
///
/// `trace` is the text of the `file` in which the run is stored, `transcript` that of the same run's transcript.
pub fn show(file: &str, trace: &str, transcript: &str, title: &str) -> Result<String> {
    let trace = trace::parse(trace).map_err(|broken| anyhow!("{file}:{broken}"))?;
    let run = Run::of(&trace).map_err(|broken| anyhow!("{file}:{broken}"))?;
    if run.steps.len() > MOST_STEPS {
        let steps = run.steps.len();
        bail!("{file} has {steps} steps; nobody goes through more than {MOST_STEPS}");
    }
    if title.trim().is_empty() {
        bail!("a player has a title, for those who do not see it");
    }
    Ok(figure(&run, title, recorded_by(transcript)))
}

/// The command that prints a trace: that of the transcript with the same name, with one more argument.
fn recorded_by(transcript: &str) -> Option<String> {
    let command = transcript.lines().next()?.strip_prefix("$ ")?;
    let arguments = if command.contains(" -- ") { "" } else { " --" };
    Some(format!("{command}{arguments} --record"))
}

fn figure(run: &Run, title: &str, command: Option<String>) -> String {
    let strip = strip::draw(run, title);
    let table = table::write(run, title);
    let data = data(run, title, &strip);
    let source = command.map(|command| format!(", recorded by <code>{}</code>", escape(&command)));
    let source = source.unwrap_or_default();
    let title = escape(title);
    format!(
        "<figure class=\"kernel-player\"><figcaption>{title}{source}</figcaption><kernel-player>\
         <div class=\"kp-strip\" role=\"group\" aria-label=\"{title}: strip\" tabindex=\"0\">{}</div>\
         <div class=\"kp-table\" role=\"group\" aria-label=\"{title}: table\" tabindex=\"0\">{table}</div>\
         <script type=\"application/json\">{data}</script></kernel-player></figure>\n",
        strip.svg
    )
}

/// What the script shows.
fn data(run: &Run, title: &str, strip: &strip::Strip) -> String {
    let names = &run.last.names;
    let order: Vec<u64> = names.keys().copied().collect();
    let number = |task: u64| order.iter().position(|other| *other == task).unwrap_or_default();
    let regions = run.regions();
    let mut questions = questions::of(run);
    let steps: Vec<Value> = run
        .steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let region = |region: &Region| -> Vec<Value> {
                let entries = run.entries(*region, step);
                entries
                    .into_iter()
                    .map(|entry| json!([entry.task.map(number), entry.note]))
                    .collect()
            };
            let mut value = json!({
                "when": run.when(step),
                "text": step.text,
                "regions": regions.iter().map(region).collect::<Vec<_>>(),
                "said": step.state.said.len(),
            });
            if let Some(question) = questions.remove(&place) {
                value["question"] = question.json();
            }
            value
        })
        .collect();
    let said: Vec<Value> = run
        .last
        .said
        .iter()
        .map(|(task, text)| json!([number(*task), text]))
        .collect();
    let value = json!({
        "title": title,
        "tasks": order.iter().map(|task| run.last.name(*task)).collect::<Vec<_>>(),
        "colours": strip::COLOURS,
        "regions": regions.iter().map(|region| json!([region.name(), region.when_empty()])).collect::<Vec<_>>(),
        "strip": {"start": strip.start, "column": strip.column},
        "said": said,
        "steps": steps,
    });
    // Nothing in it can end the script, or look like a directive.
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace("{{", "\\u007b{")
}

/// Text in HTML, or in the value of an attribute. It cannot look like a directive either.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace("{{", "&#123;{")
}

#[cfg(test)]
mod tests {
    use super::*;
    use run::tests::{MESSAGE, golden};

    #[test]
    fn the_command_is_that_of_the_transcript() {
        for (transcript, expected) in [
            (
                "$ cargo run -p chapter2\nx\n",
                Some("cargo run -p chapter2 -- --record"),
            ),
            (
                "$ cargo run -p chapter2 -- calls\nx\n",
                Some("cargo run -p chapter2 -- calls --record"),
            ),
            ("x\n", None),
        ] {
            assert_eq!(recorded_by(transcript).as_deref(), expected);
        }
    }

    #[test]
    fn nothing_in_a_trace_can_break_the_page() {
        let nasty = MESSAGE.replace("Shoes!", "</script> {{x}} <!--");
        let run = run::tests::run(&nasty);
        let figure = figure(&run, "<b>", Some("x < y".to_owned()));
        assert_eq!(figure.matches("</script>").count(), 1);
        assert!(figure.ends_with("</script></kernel-player></figure>\n"));
        assert!(!figure.contains("<!--") && !figure.contains("{{x"), "{figure}");
        assert!(figure.contains("<figcaption>&lt;b&gt;, recorded by <code>x &lt; y</code></figcaption>"));
        // A blank line would end it for Markdown, and a line without an end would not.
        assert_eq!(figure.lines().count(), 1);
    }

    #[test]
    fn the_script_gets_what_it_shows() {
        let run = golden();
        let strip = strip::draw(&run, "Kid");
        let data: Value = serde_json::from_str(&data(&run, "Kid", &strip)).expect("JSON");
        assert_eq!(data["tasks"], json!(["parent", "kid", "countdown"]));
        assert_eq!(data["regions"][3], json!(["Timers", "none"]));
        let step = &data["steps"][8];
        assert_eq!(step["when"], "0 s");
        // countdown's timer, then kid's.
        assert_eq!(step["regions"][3], json!([[2, "1 s"], [1, "1000 s"]]));
        assert_eq!(data["steps"][5]["question"]["right"], 1);
        assert_eq!(data["steps"].as_array().map(Vec::len), Some(run.steps.len()));
    }
}
