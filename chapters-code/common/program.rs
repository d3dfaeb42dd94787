//! What every chapter's program is tested for: its transcripts, its help, and what it says to bad arguments.
//!
//! Each package includes this file in its tests by `#[path]`.

use std::path::Path;
use std::process::{Command, Output};

#[path = "transcripts.rs"]
pub(crate) mod transcripts;

/// The program of a chapter.
pub(crate) struct Program {
    /// The name of the package.
    pub(crate) name: &'static str,
    /// Where the program is.
    pub(crate) path: &'static str,
    /// The folder of the package.
    pub(crate) package: &'static str,
    /// What it can run, beside the nameless program.
    pub(crate) programs: &'static [&'static str],
    /// Those that take no seed.
    pub(crate) without_seed: &'static [&'static str],
    /// Those that are no run of a kernel to its end, and have no trace.
    pub(crate) without_record: &'static [&'static str],
}

impl Program {
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = Command::new(self.path).args(arguments).output();
        output.expect("the program starts")
    }

    /// What it prints.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn check_transcripts(&self) {
        let (package, path) = (Path::new(self.package), Path::new(self.path));
        if let Err(problems) = transcripts::check(package, self.name, path) {
            panic!("{problems}");
        }
    }

    /// Every trace `traces/NAME.jsonl` is what the command of `transcripts/NAME.txt` prints with `--record`.
    pub(crate) fn check_traces(&self) {
        let package = Path::new(self.package);
        let problems = transcripts::wrong_traces(package, self.name, Path::new(self.path));
        let problems = problems.unwrap_or_else(|problem| panic!("{problem}"));
        let problems = problems
            .iter()
            .map(|(path, line, problem)| format!("{}:{line}: {problem}", path.display()));
        let problems: Vec<String> = problems.collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// The help names every program, and every program runs; with a seed too, or else it says that it takes none.
    pub(crate) fn check_programs(&self) {
        let help = self.prints(&["--help"]);
        let listed = help.lines().filter_map(|line| line.strip_prefix("  "));
        let listed = listed.filter_map(|line| line.split(' ').next());
        let listed: Vec<&str> = listed
            .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
            .collect();
        assert_eq!(listed, self.programs, "the help lists other programs");
        for program in self.programs {
            self.prints(&[program]);
            let seeded = self.run(&[program, "--seed", "7"]);
            if self.without_seed.contains(program) {
                self.check_refusal(&[program, "--seed", "7"], &format!("'{program}' takes no --seed"));
            } else {
                assert!(seeded.status.success(), "{program} --seed 7");
            }
            if self.without_record.contains(program) {
                self.check_refusal(&[program, "--record"], &format!("'{program}' takes no --record"));
            } else {
                let trace = self.prints(&[program, "--record"]);
                assert!(
                    trace.starts_with("{\"format\":\"curio-trace\""),
                    "{program} --record"
                );
            }
        }
    }

    /// Where nobody reads what it prints, as behind `| head -1`, every program ends, and says nothing of that.
    pub(crate) fn check_without_a_reader(&self) {
        for arguments in self.programs.iter().copied().chain(["--help"]) {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let output = Command::new(self.path).arg(arguments).stdout(writer).output();
            let output = output.expect("the program starts");
            assert!(!output.status.success(), "{arguments}");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(!errors.contains("failed printing"), "{arguments}: {errors}");
        }
    }

    /// Bad arguments get one clear line.
    pub(crate) fn check_bad_arguments(&self) {
        self.check_refusal(&["paly"], "no program is called 'paly'");
        self.check_refusal(&["--loud"], "unknown argument '--loud'");
        self.check_refusal(&[self.programs[0], "twice"], "unknown argument 'twice'");
        self.check_refusal(&["--seed"], "--seed needs a number");
        self.check_refusal(&["--seed", "x"], "--seed needs a whole number, not 'x'");
        self.check_refusal(&["--seed", "-1"], "--seed needs a whole number, not '-1'");
    }

    fn check_refusal(&self, arguments: &[&str], reason: &str) {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(error, format!("{}: {reason}; try --help\n", self.name));
    }
}
