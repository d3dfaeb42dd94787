//! How the programs of the chapters read their arguments: `[PROGRAM] [--seed N] [--record]` or `--help`.
//!
//! Each chapter's program includes this file by `#[path]`.

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To be told what there is.
    Help,
    /// To run a program, the nameless one if there is no name.
    Run {
        /// The name of the program.
        program: Option<String>,
        /// The seed of the schedule.
        seed: Option<u64>,
        /// Whether to print the trace of the run, not what is said.
        record: bool,
    },
}

/// Reads the arguments, or says what is wrong with them.
pub(crate) fn parse(arguments: &[String]) -> Result<Wish, String> {
    let mut program = None;
    let mut seed = None;
    let mut record = false;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "--help" | "-h" => return Ok(Wish::Help),
            "--record" => record = true,
            "--seed" => {
                let text = arguments.next().ok_or("--seed needs a number")?;
                let number = text
                    .parse()
                    .map_err(|_| format!("--seed needs a whole number, not '{text}'"))?;
                seed = Some(number);
            }
            name if program.is_none() && !name.starts_with('-') => program = Some(name.to_string()),
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    Ok(Wish::Run {
        program,
        seed,
        record,
    })
}
