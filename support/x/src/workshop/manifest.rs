//! What the exercises of a chapter are: `chapters/NN-name/workshop/exercises.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The exercises of one chapter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Examples that the exercise crate has, too. The failing demos stay with the chapter.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Files and folders in `tests` that the exercise crate does not have, because they start
    /// examples.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// In the order in which they are to be solved.
    #[serde(rename = "exercise")]
    pub exercises: Vec<Exercise>,
}

/// Something to do, and how to tell that it is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// Chapter and number: `04.1`.
    pub id: String,
    pub title: String,
    /// What is to be done, in a few sentences.
    pub goal: String,
    /// How long it takes.
    pub minutes: u32,
    /// The regions that are left open.
    #[serde(default, rename = "hole")]
    pub holes: Vec<Hole>,
    /// The faults that are put into working code, to be found.
    #[serde(default, rename = "bug")]
    pub bugs: Vec<Edit>,
    /// The tests that go from red to green, each as `file::name`.
    pub tests: Vec<String>,
    /// From a nudge to nearly the answer.
    #[serde(rename = "hint")]
    pub hints: Vec<Hint>,
    /// Wrong solutions that must not pass.
    #[serde(rename = "mutant")]
    pub mutants: Vec<Mutant>,
}

/// A region between `ANCHOR: name` and `ANCHOR_END: name`, which becomes a `todo!`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    pub file: String,
    pub anchor: String,
    /// What is owed, in a sentence.
    pub todo: String,
}

/// One place in a file that reads differently. `find` occurs there exactly once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub file: String,
    pub find: String,
    pub replace: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    pub text: String,
    /// A part of a failing test's name or output: with it, this hint comes first.
    pub when: Option<String>,
}

/// A planted bug: a plausible wrong solution.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What is wrong, in a sentence.
    pub says: String,
    /// What stands in the exercise's only hole instead of the solution.
    pub fill: Option<String>,
    /// Or: what reads differently.
    #[serde(default, rename = "edit")]
    pub edits: Vec<Edit>,
    /// The tests that must fail, each as `file::name`.
    pub killed_by: Vec<String>,
}

impl Manifest {
    /// Reads and checks a manifest. `number` is that of its chapter: `04`.
    pub fn read(path: &Path, number: &str) -> Result<Manifest> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Manifest::parse(&text, number).with_context(|| format!("{} is wrong", path.display()))
    }

    fn parse(text: &str, number: &str) -> Result<Manifest> {
        let manifest: Manifest = toml::from_str(text)?;
        let count = manifest.exercises.len();
        ensure!((2..=6).contains(&count), "a chapter has 2 to 6 exercises, not {count}");
        let mut earlier: BTreeSet<&str> = BTreeSet::new();
        for (place, exercise) in manifest.exercises.iter().enumerate() {
            exercise.check(&format!("{number}.{}", place + 1))?;
            for test in &exercise.tests {
                ensure!(earlier.insert(test), "two exercises claim the test {test}");
            }
        }
        ensure!(
            manifest.exercises.iter().any(|exercise| !exercise.bugs.is_empty()),
            "one exercise at least has a bug to be found"
        );
        Ok(manifest)
    }
}

impl Exercise {
    fn check(&self, id: &str) -> Result<()> {
        ensure!(self.id == id, "the exercise {} should have the id {id}", self.id);
        ensure!(
            (5..=25).contains(&self.minutes),
            "{id} takes 5 to 25 minutes, not {}",
            self.minutes
        );
        ensure!((1..=3).contains(&self.hints.len()), "{id} has 1 to 3 hints");
        ensure!(self.mutants.len() >= 2, "{id} has at least two mutants");
        ensure!(!self.tests.is_empty(), "{id} has no tests");
        ensure!(
            self.holes.is_empty() != self.bugs.is_empty(),
            "{id} has either holes to be filled or a bug to be found"
        );
        for mutant in &self.mutants {
            let says = &mutant.says;
            ensure!(!mutant.killed_by.is_empty(), "{id}: nothing kills the mutant: {says}");
            match (&mutant.fill, mutant.edits.is_empty(), self.holes.len()) {
                (Some(_), true, 1) | (None, false, _) => {}
                (Some(_), true, holes) => {
                    bail!("{id}: a mutant fills one hole, and there are {holes}: {says}")
                }
                _ => bail!("{id}: a mutant has either `fill` or `edit`: {says}"),
            }
        }
        for test in self.tests.iter().chain(self.mutants.iter().flat_map(|m| &m.killed_by)) {
            ensure!(test.contains("::"), "{id}: a test is named file::name, not {test}");
        }
        Ok(())
    }

    /// The files that this exercise is about, as paths in the crate.
    pub fn files(&self) -> BTreeSet<&str> {
        let holes = self.holes.iter().map(|hole| hole.file.as_str());
        holes.chain(self.bugs.iter().map(|bug| bug.file.as_str())).collect()
    }
}

impl Edit {
    /// Carries out the edit.
    pub fn apply(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.find).count();
        ensure!(count == 1, "{}: {:?} occurs {count} times, not once", self.file, self.find);
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}
