//! The table: every step in words, with what is in the kernel's parts after it.
//!
//! mdBook's search would index every word of it, and "the ready queue" would be found here before it is found where it is
//! explained. mdBook skips nothing but scripts and styles; but it does not look into attributes. So the words are in
//! attributes: the style sheet shows them, on paper too, and the script makes text of them, which can be copied.

use super::escape;
use super::regions::Region;
use super::run::{Run, Step};

/// Writes the table, on one line.
pub(crate) fn write(run: &Run, title: &str) -> String {
    // Who has ended is told in words, in the step where it happens.
    let mut regions = run.regions();
    regions.retain(|region| *region != Region::Ended);
    let titles = ["Step", "When", "What happens"].into_iter();
    let titles = titles.chain(regions.iter().map(|region| region.name()));
    let head: String = titles
        .map(|title| format!("<th scope=\"col\" data-text=\"{}\"></th>", escape(title)))
        .collect();
    let mut rows = String::new();
    for (place, step) in run.steps.iter().enumerate() {
        rows.push_str("<tr>");
        let told = [(place + 1).to_string(), run.when(step), step.text.clone()].into_iter();
        for text in told.chain(regions.iter().map(|region| cell(run, *region, step))) {
            rows.push_str(&format!("<td data-text=\"{}\"></td>", escape(&text)));
        }
        rows.push_str("</tr>");
    }
    format!(
        "<table aria-label=\"{}, step by step\"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
        escape(title)
    )
}

fn cell(run: &Run, region: Region, step: &Step) -> String {
    let entries = run.entries(region, step).into_iter();
    let shown: Vec<String> = entries
        .map(|entry| match entry.task.map(|task| step.state.name(task)) {
            Some(name) if entry.note.is_empty() => name,
            Some(name) => format!("{name} ({})", entry.note),
            None => entry.note,
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::{MESSAGE, run};
    use super::write;

    #[test]
    fn a_row_tells_a_step_and_what_is_where() {
        let table = write(&run(MESSAGE), "\"Shoes\" & more");
        assert!(table.starts_with("<table aria-label=\"&quot;Shoes&quot; &amp; more, step by step\">"));
        let head: String = [
            "Step",
            "When",
            "What happens",
            "Running",
            "Ready queue",
            "Waiting",
            "Messages",
        ]
        .iter()
        .map(|title| format!("<th scope=\"col\" data-text=\"{title}\"></th>"))
        .collect();
        assert!(
            table.contains(&format!("<thead><tr>{head}</tr></thead>")),
            "{table}"
        );
        let row: String = [
            "8",
            "turn 2",
            "kid is woken by parent. It goes to the end of the ready queue.",
            "parent",
            "kid",
            "kid (on channel 1, woken)",
            "channel 1: &quot;Shoes!&quot;",
        ]
        .iter()
        .map(|text| format!("<td data-text=\"{text}\"></td>"))
        .collect();
        assert!(table.contains(&format!("<tr>{row}</tr>")), "{table}");
        assert_eq!(table.matches("<tr>").count(), 1 + 12);
    }
}
