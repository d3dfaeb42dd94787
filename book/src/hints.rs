//! The hints of the exercises: three for each, one line each, in `hints/chNN/eN_name.md` of the package `exercises`.

use anyhow::{Result, bail};

use crate::sources::Sources;

/// The package with the exercises.
pub const PACKAGE: &str = "exercises";

/// The hints of an exercise, such as `ch01/e1_predict`, without their numbers.
pub fn read(exercise: &str, sources: &Sources<'_>) -> Result<Vec<String>> {
    let (file, text) = sources.file(PACKAGE, &format!("hints/{exercise}.md"))?;
    let shown = sources.workspace.relative(&file);
    let mut hints = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match line.strip_prefix(&format!("{number}. ")) {
            Some(hint) if !hint.trim().is_empty() => hints.push(hint.trim().to_owned()),
            _ => bail!("{shown}:{number}: hint {number} is a line that begins with `{number}. `"),
        }
    }
    match hints.len() {
        3 => Ok(hints),
        count => bail!("{shown}: an exercise has three hints, not {count}"),
    }
}

/// The hints as a page shows them: each folded on its own, so that one may read the first and stop.
pub fn folded(exercise: &str, sources: &Sources<'_>) -> Result<String> {
    let hints = read(exercise, sources)?;
    let folded = |(hint, number): (&String, u32)| {
        format!("<details>\n<summary>Hint {number}</summary>\n\n{hint}\n\n</details>\n")
    };
    Ok(hints.iter().zip(1..).map(folded).collect::<Vec<_>>().join("\n"))
}
