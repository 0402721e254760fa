//! Holds the exercises to what they promise: every starter builds, just the listed tests fail, none by
//! running out of time, the reference passes, and every planted bug is killed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::crates::{Chapter, Files, Fill};
use super::manifest::Exercise;
use super::run::{Built, Tests, Verdict, build};
use super::scratch::Scratch;
use super::show::say;

/// What was verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub exercises: usize,
    pub tests: usize,
    pub mutants: usize,
    /// Of the tests, those that this machine cannot run.
    pub skipped: usize,
}

/// Where and how a chapter's exercises are built.
pub struct Verifier<'a> {
    pub scratch: Scratch,
    pub target: &'a Path,
    /// What a test gets that should end: room for a machine that is busy.
    pub patience: Duration,
    /// What a planted bug gets. One that hangs counts as killed.
    pub impatience: Duration,
}

/// The times for a machine like a laptop.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const IMPATIENCE: Duration = Duration::from_secs(3);

impl Verifier<'_> {
    /// Verifies one chapter, in a workspace with the files of `workspace`. `report` hears of each
    /// step before it is taken.
    pub fn verify(
        &self,
        chapter: &Chapter,
        workspace: Files,
        report: &dyn Fn(&str),
    ) -> Result<Count> {
        let exercises = &chapter.manifest.exercises;
        let mut count = Count { exercises: exercises.len(), ..Count::default() };

        // With the first `done` exercises solved, just the tests of the others fail.
        for done in 0..=exercises.len() {
            let (solved, open) = exercises.split_at(done);
            let state = match solved.last() {
                None => format!("{}: the starter", chapter.name),
                Some(last) => format!("{}: solved up to {}", chapter.name, last.id),
            };
            report(&state);
            let tests = self.built(chapter, &workspace, |exercise| solved_are(solved, exercise))?;
            (count.tests, count.skipped) = self.fails_just(&tests, open, &state)?;
        }

        for exercise in exercises {
            for mutant in &exercise.mutants {
                report(&format!("{}: {}", exercise.id, mutant.says));
                let fill = |other: &Exercise| match other.id == exercise.id {
                    true => Fill::Mutant(mutant),
                    false => Fill::Reference,
                };
                let tests = self.built(chapter, &workspace, fill)?;
                for test in &mutant.killed_by {
                    if self.run_to_fail(&tests, test, self.impatience)? == Verdict::Passed {
                        bail!(
                            "{}: {test} does not kill this wrong solution: {}",
                            exercise.id,
                            mutant.says
                        );
                    }
                }
                count.mutants += 1;
            }
        }
        Ok(count)
    }

    /// Runs a test that should fail. A fault that shows in a race of two threads has three chances to
    /// show.
    fn run_to_fail(&self, tests: &Tests, test: &str, deadline: Duration) -> Result<Verdict> {
        for _ in 0..2 {
            let verdict = tests.run(test, deadline)?;
            if verdict != Verdict::Passed {
                return Ok(verdict);
            }
        }
        tests.run(test, deadline)
    }

    /// Finds out which tests each exercise turns green, one after the other: what a manifest should
    /// list.
    pub fn plan(&self, chapter: &Chapter, workspace: &Files) -> Result<()> {
        let exercises = &chapter.manifest.exercises;
        let mut failed = self.failing(chapter, workspace, 0)?;
        for (done, exercise) in exercises.iter().enumerate() {
            let still = self.failing(chapter, workspace, done + 1)?;
            say!("{}\ntests = [", exercise.id);
            for test in failed.difference(&still) {
                say!("    {test:?},");
            }
            say!("]");
            for test in still.difference(&failed) {
                say!("# {test} passed before this exercise, and fails after it.");
            }
            failed = still;
        }
        for test in failed {
            say!("# {test} fails with all exercises solved.");
        }
        Ok(())
    }

    fn failing(
        &self,
        chapter: &Chapter,
        workspace: &Files,
        done: usize,
    ) -> Result<BTreeSet<String>> {
        let solved = &chapter.manifest.exercises[..done];
        let tests = self.built(chapter, workspace, |exercise| solved_are(solved, exercise))?;
        let mut failing = BTreeSet::new();
        for name in tests.names()? {
            if tests.run(&name, self.impatience)? != Verdict::Passed {
                failing.insert(name);
            }
        }
        Ok(failing)
    }

    /// Builds the crate of a chapter, with `fill` deciding what stands in each exercise's place.
    pub fn built<'m>(
        &self,
        chapter: &Chapter,
        workspace: &Files,
        fill: impl Fn(&Exercise) -> Fill<'m>,
    ) -> Result<Tests> {
        let mut files = workspace.clone();
        for (path, text) in chapter.render(fill)? {
            files.insert(Path::new(&chapter.name).join(path), text);
        }
        self.scratch.hold(&files)?;
        match build(&self.scratch, &chapter.package(), self.target)? {
            Built::Tests(tests) => Ok(tests),
            Built::Failed(errors) => bail!("{} does not build:\n{errors}", chapter.name),
        }
    }

    /// Holds the tests that fail against those that should. Returns the number of all tests, and of those
    /// that cannot be run here.
    fn fails_just(&self, tests: &Tests, open: &[Exercise], state: &str) -> Result<(usize, usize)> {
        let names = tests.names()?;
        let should_fail: BTreeSet<&String> =
            open.iter().flat_map(|exercise| &exercise.tests).collect();
        let mut wrong: Vec<String> = Vec::new();
        let mut skipped = 0;
        for listed in &should_fail {
            if !names.contains(listed) {
                wrong.push(format!("{listed} is listed, but there is no such test"));
            }
        }
        for name in &names {
            let is_open = should_fail.contains(name);
            let verdict = match is_open {
                true => self.run_to_fail(tests, name, self.patience)?,
                false => tests.run(name, self.patience)?,
            };
            match (&verdict, is_open) {
                (Verdict::Passed, false) => {}
                (Verdict::Skipped(_), _) => skipped += 1,
                (Verdict::Passed, true) => wrong.push(format!("{name} passes, and should fail")),
                (Verdict::TimedOut(_), _) => wrong.push(format!("{name} runs out of time")),
                (Verdict::Failed(output), _) if output.contains("still running after") => {
                    wrong.push(format!("{name} runs out of time"));
                }
                (Verdict::Failed(_), true) => {}
                (Verdict::Failed(output), false) => {
                    wrong.push(format!("{name} fails, and is not listed:\n{output}"));
                }
            }
        }
        ensure!(wrong.is_empty(), "{state}:\n{}", wrong.join("\n"));
        Ok((names.len(), skipped))
    }
}

/// The solved exercises filled in, and the others open.
fn solved_are<'a>(solved: &[Exercise], exercise: &Exercise) -> Fill<'a> {
    match solved.iter().any(|solved| solved.id == exercise.id) {
        true => Fill::Reference,
        false => Fill::Starter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workshop::Workshop;
    use std::fs;
    use std::path::PathBuf;
    use tempfile::TempDir;

    const ROOT: &str = "\
[workspace]
resolver = \"3\"
members = [\"chapters/*\"]
";
    const CARGO: &str = "\
[package]
name = \"ch01-tiny\"
edition = \"2024\"

[dependencies]
";
    const LIB: &str = "\
//! Numbers.

/// One more.
pub fn next(number: u32) -> u32 {
    // ANCHOR: next
    number + 1
    // ANCHOR_END: next
}

/// One less, but not below zero.
pub fn previous(number: u32) -> u32 {
    number.saturating_sub(1)
}
";
    const TESTS: &str = "\
#[test]
fn next_of_one_is_two() {
    assert_eq!(ch01_tiny::next(1), 2);
}

#[test]
fn previous_of_zero_is_zero() {
    assert_eq!(ch01_tiny::previous(0), 0);
}

#[test]
fn previous_of_two_is_one() {
    assert_eq!(ch01_tiny::previous(2), 1);
}
";
    const MANIFEST: &str = r#"
[[exercise]]
id = "01.1"
title = "Count up"
goal = "Add one."
minutes = 5
tests = ["numbers::next_of_one_is_two"]
hole = [{ file = "src/lib.rs", anchor = "next", todo = "add one" }]
hint = [{ text = "What is one more?" }]
mutant = [
    { says = "adds nothing", fill = "number", killed_by = ["numbers::next_of_one_is_two"] },
    { says = "never ends", fill = "loop { if number > 9 { return 1 } }", killed_by = ["numbers::next_of_one_is_two"] },
]

[[exercise]]
id = "01.2"
title = "Count down"
goal = "Counting down from zero goes wrong."
minutes = 5
tests = ["numbers::previous_of_zero_is_zero"]
bug = [{ file = "src/lib.rs", find = "saturating_sub", replace = "wrapping_sub" }]
hint = [{ text = "What is less than zero?" }]
mutant = [
    { says = "panics", edit = [{ file = "src/lib.rs", find = "number.saturating_sub(1)", replace = "number - 1" }], killed_by = ["numbers::previous_of_zero_is_zero"] },
    { says = "stays", edit = [{ file = "src/lib.rs", find = "saturating_sub(1)", replace = "max(1)" }], killed_by = ["numbers::previous_of_zero_is_zero"] },
]
"#;

    /// A checkout with one chapter, in which some texts read differently.
    fn verified(changes: &[(&str, &str)]) -> Result<Count> {
        let root = TempDir::new()?;
        let changed = |text: &str| {
            changes
                .iter()
                .fold(text.to_string(), |text, (find, replace)| text.replace(find, replace))
        };
        let files = [
            ("Cargo.toml", ROOT),
            ("Cargo.lock", "version = 4\n"),
            ("chapters/01-tiny/Cargo.toml", CARGO),
            ("chapters/01-tiny/src/lib.rs", LIB),
            ("chapters/01-tiny/tests/numbers.rs", TESTS),
            ("chapters/01-tiny/workshop/exercises.toml", MANIFEST),
        ];
        for (path, text) in files {
            let path: PathBuf = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one"))?;
            fs::write(path, changed(text))?;
        }

        let workshop = Workshop::read(root.path())?;
        let chapter = &workshop.chapters[0];
        let (folder, workspace) = workshop.alone(chapter, "test")?;
        let verifier = Verifier {
            scratch: Scratch::new(folder.join("exercises")),
            target: &folder.join("target"),
            patience: Duration::from_secs(2),
            impatience: Duration::from_millis(200),
        };
        verifier.verify(chapter, workspace, &|_| {})
    }

    #[track_caller]
    fn refused(changes: &[(&str, &str)], because: &str) {
        let error = format!("{:#}", verified(changes).expect_err("it should have been refused"));
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn exercises_that_keep_their_promises_pass() {
        let count = verified(&[]).unwrap();
        assert_eq!((count.exercises, count.tests, count.mutants), (2, 3, 4));
        assert_eq!(count.skipped, 0);
    }

    #[test]
    fn tests_that_cannot_be_run_here_are_counted_and_not_held_against_the_exercises() {
        let skips = "next(1), 2);\n    eprintln!(\"SKIPPED: a_test: no next\");";
        assert_eq!(verified(&[("next(1), 2);", skips)]).unwrap().skipped, 1);
    }

    #[test]
    fn a_starter_that_does_not_build_is_refused() {
        refused(
            &[
                ("    number + 1", "    let sum = number + 1;"),
                ("_END: next\n", "_END: next\n    sum\n"),
            ],
            "does not build",
        );
    }

    #[test]
    fn a_listed_test_that_passes_in_the_starter_is_refused() {
        let listed =
            "tests = [\"numbers::previous_of_two_is_one\", \"numbers::previous_of_zero_is_zero\"]";
        refused(
            &[("tests = [\"numbers::previous_of_zero_is_zero\"]", listed)],
            "numbers::previous_of_two_is_one passes, and should fail",
        );
    }

    #[test]
    fn a_test_that_fails_and_is_not_listed_is_refused() {
        refused(
            &[(
                "saturating_sub\", replace = \"wrapping_sub",
                "saturating_sub(1)\", replace = \"wrapping_sub(2)",
            )],
            "numbers::previous_of_two_is_one fails, and is not listed",
        );
    }

    #[test]
    fn a_listed_test_that_does_not_exist_is_refused() {
        refused(
            &[("tests = [\"numbers::next_of_one_is_two\"]", "tests = [\"numbers::next_of_two\"]")],
            "there is no such test",
        );
    }

    #[test]
    fn a_starter_that_hangs_is_refused() {
        refused(
            &[(
                "replace = \"wrapping_sub\"",
                "replace = \"wrapping_sub((number == 0).then(|| loop {}).unwrap_or(0)).saturating_sub\"",
            )],
            "numbers::previous_of_zero_is_zero runs out of time",
        );
    }

    #[test]
    fn a_reference_that_fails_is_refused() {
        refused(
            &[("previous(2), 1", "previous(2), 0")],
            "numbers::previous_of_two_is_one fails, and is not listed",
        );
    }

    #[test]
    fn a_wrong_solution_that_passes_is_refused() {
        refused(
            &[("fill = \"number\"", "fill = \"number + 1\"")],
            "does not kill this wrong solution: adds nothing",
        );
    }

    #[test]
    fn a_hole_without_a_region_is_refused() {
        refused(&[("ANCHOR: next", "ANCHOR: nxt")], "has no region `ANCHOR: next`");
    }

    #[test]
    fn an_edit_that_fits_nowhere_is_refused() {
        refused(&[("find = \"saturating_sub\"", "find = \"number\"")], "occurs");
        refused(&[("find = \"saturating_sub\"", "find = \"add\"")], "occurs 0 times");
    }

    #[test]
    fn a_manifest_is_held_to_its_rules() {
        refused(&[("minutes = 5", "minutes = 4")], "takes 5 to 25 minutes");
        refused(&[("id = \"01.2\"", "id = \"01.3\"")], "should have the id 01.2");
        refused(&[("hint = [{ text = \"What is one more?\" }]", "hint = []")], "1 to 3 hints");
        refused(
            &[(
                "bug = [{",
                "hole = [{ file = \"src/lib.rs\", anchor = \"next\", todo = \"\" }]\nbug = [{",
            )],
            "either holes to be filled or a bug",
        );
        refused(&[("goal = ", "aim = ")], "unknown field `aim`");
    }
}
