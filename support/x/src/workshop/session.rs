//! The verbs of the workshop, for a learner.

use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use similar::{ChangeTag, TextDiff};

use super::Workshop;
use super::crates::{Chapter, Files};
use super::learner::Learner;
use super::manifest::Exercise;
use super::run::{Built, Tests, Verdict, build};
use super::scratch::Scratch;
use super::show::{BAD, FAINT, GOOD, HEAD, complain, minutes, readable, say, styled};
use super::state::{State, replace};

/// How long a learner's test may run before it counts as hung.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What the watchdog of a test says of a hang.
pub(super) const HUNG: &str = "still running after";

/// A learner at work.
pub struct Session {
    pub workshop: Workshop,
    pub state: State,
}

impl Session {
    pub fn open(root: &Path) -> Result<Session> {
        let workshop = Workshop::read(root)?;
        let (state, complaint) = State::read(workshop.exercises().join(".progress"))?;
        if let Some(complaint) = complaint {
            complain!("{complaint}");
        }
        Ok(Session { workshop, state })
    }

    /// The exercise with this id. `4.1` will do for `04.1`.
    pub fn find(&self, id: &str) -> Result<(Chapter, Exercise)> {
        let wanted = id.trim_start_matches('0');
        self.all()
            .find(|(_, exercise)| exercise.id.trim_start_matches('0') == wanted)
            .map(|(chapter, exercise)| (chapter.clone(), exercise.clone()))
            .with_context(|| format!("there is no exercise {id}: `cargo x list` names them all"))
    }

    /// The exercise with this id, or the first that is open.
    pub fn chosen(&self, id: Option<&str>) -> Result<(Chapter, Exercise)> {
        match id {
            Some(id) => self.find(id),
            None => self.first_open().context("all exercises are solved: name one"),
        }
    }

    /// The first exercise that is not solved.
    pub fn first_open(&self) -> Option<(Chapter, Exercise)> {
        let (chapter, exercise) =
            self.all().find(|(_, exercise)| !self.state.is_solved(&exercise.id))?;
        Some((chapter.clone(), exercise.clone()))
    }

    /// The next exercise after this one that is not solved, or else the first of all.
    pub fn next_open(&self, exercise: &Exercise) -> Option<(Chapter, Exercise)> {
        let mut after = self.all().skip_while(|(_, other)| other.id != exercise.id);
        let next = after.find(|(_, other)| !self.state.is_solved(&other.id));
        let next = next.map(|(chapter, exercise)| (chapter.clone(), exercise.clone()));
        next.or_else(|| self.first_open())
    }

    fn all(&self) -> impl Iterator<Item = (&Chapter, &Exercise)> {
        let chapters = self.workshop.chapters.iter();
        chapters
            .flat_map(|chapter| chapter.manifest.exercises.iter().map(move |one| (chapter, one)))
    }

    /// Says what an exercise is about, and where.
    pub fn introduce(&self, chapter: &Chapter, exercise: &Exercise) {
        let title = format!("{} {}", exercise.id, exercise.title);
        say!("{}  {}", styled(HEAD, title), styled(FAINT, minutes(exercise.minutes)));
        say!("{}", exercise.goal.trim());
        for file in exercise.files() {
            say!("  exercises/{}/{file}", chapter.name);
        }
    }

    /// Runs the tests of an exercise on what the learner has written. Says what came of it, and
    /// returns whether the exercise is solved.
    pub fn check(&mut self, chapter: &Chapter, exercise: &Exercise) -> Result<bool> {
        let scratch = Scratch::new(self.workshop.root.join("target/x/check"));
        let _lock = scratch.lock()?;
        let folder = scratch.folder();
        let tests = match self.built(chapter, &scratch)? {
            Built::Tests(tests) => tests,
            Built::Failed(errors) => {
                say_what_does_not_compile(exercise, &errors, folder);
                self.remember(exercise, &errors, false);
                return Ok(false);
            }
        };
        let failed = self.run_tests(&tests, chapter, exercise, folder)?;
        let solved = failed.is_none();
        self.remember(exercise, failed.as_deref().unwrap_or_default(), solved);
        match solved {
            true => say!("{}", styled(GOOD, format!("{} is solved.", exercise.id))),
            false => say!("{}", styled(BAD, format!("{} is still open.", exercise.id))),
        }
        Ok(solved)
    }

    /// Runs the tests of an exercise until one fails, and then those of the chapter's earlier
    /// exercises that are solved: a solution must not break them. Returns what the test that failed
    /// has said, with its name.
    fn run_tests(
        &self,
        tests: &Tests,
        chapter: &Chapter,
        exercise: &Exercise,
        folder: &Path,
    ) -> Result<Option<String>> {
        let mut has_passed = false;
        for test in &exercise.tests {
            let said = match self.run_test(tests, test, folder)? {
                Outcome::Failed(said) => said,
                Outcome::Passed => {
                    say!("{} {test}", styled(GOOD, "passed"));
                    has_passed = true;
                    continue;
                }
                Outcome::Skipped(why) => {
                    say!("{} {why}", styled(FAINT, "skipped"));
                    continue;
                }
            };
            if let Some(other) = self.open_hole(&said, exercise) {
                say!("It ran into the hole of {other}, which comes first.");
            }
            let left = exercise.tests.iter().skip_while(|name| *name != test).count() - 1;
            if left > 0 {
                say!("{}", styled(FAINT, format!("{left} more test(s) were not run.")));
            }
            return Ok(Some(said));
        }
        if !has_passed {
            let said = "This machine can run none of its tests, so it cannot be checked here.";
            say!("{said}");
            return Ok(Some(said.to_string()));
        }
        let earlier = chapter.manifest.exercises.iter().take_while(|one| one.id != exercise.id);
        for one in earlier.filter(|one| self.state.is_solved(&one.id)) {
            for test in &one.tests {
                if let Outcome::Failed(said) = self.run_test(tests, test, folder)? {
                    say!("This is a test of {}, which was solved before this change.", one.id);
                    return Ok(Some(said));
                }
            }
        }
        Ok(None)
    }

    /// Runs one test. If it fails, tells how.
    fn run_test(&self, tests: &Tests, test: &str, folder: &Path) -> Result<Outcome> {
        let said = match tests.run(test, PATIENCE)? {
            Verdict::Passed => return Ok(Outcome::Passed),
            Verdict::Skipped(why) => return Ok(Outcome::Skipped(why)),
            Verdict::Failed(output) => output,
            Verdict::TimedOut(output) => format!(
                "{output}The test was ended after {:?}. It did not say what it waited for.\n",
                2 * PATIENCE
            ),
        };
        let verdict = match said.contains(HUNG) {
            true => "hung  ",
            false => "failed",
        };
        say!("{} {test}", styled(BAD, verdict));
        say!("{}", in_exercises(&readable(&said), folder));
        Ok(Outcome::Failed(format!("{test}\n{said}")))
    }

    /// The other exercise whose `todo!` was met.
    fn open_hole(&self, said: &str, exercise: &Exercise) -> Option<String> {
        let met = said.split_once("not yet implemented: ")?.1.split_once(':')?.0;
        let (_, other) = self.all().find(|(_, other)| other.id == met)?;
        (other.id != exercise.id).then(|| format!("{} ({})", other.id, other.title))
    }

    fn remember(&mut self, exercise: &Exercise, said: &str, solved: bool) {
        let fits = |hint: &super::manifest::Hint| {
            hint.when.as_ref().is_some_and(|when| said.contains(when))
        };
        let fitting = exercise.hints.iter().position(fits);
        let remembered = self
            .state
            .set_fitting(&exercise.id, fitting)
            .and_then(|()| self.state.set_solved(&exercise.id, solved));
        if let Err(error) = remembered {
            complain!("Your progress is not kept: {error:#}");
        }
    }

    /// Builds the learner's crate with tests from a clean copy.
    pub(super) fn built(&self, chapter: &Chapter, scratch: &Scratch) -> Result<Built> {
        let own = self.workshop.is_own()?;
        let mut files = self.workshop.workspace("../../..", own)?;
        for member in &self.workshop.chapters {
            // With `own`, the crate builds on the learner's earlier ones.
            let crate_files = match own || member.name == chapter.name {
                true => Learner::new(&self.workshop.exercises(), member).under_test(member)?,
                false => member.starter()?,
            };
            let inside = crate_files.into_iter();
            files.extend(inside.map(|(path, text)| (Path::new(&member.name).join(path), text)));
        }
        files.insert("Cargo.lock".into(), self.workshop.lock()?);
        scratch.hold(&files)?;

        let spinner = spinner(&format!("Building {}", chapter.name));
        let target = self.workshop.root.join("target/x/target");
        let built = build(scratch, &chapter.package(), &target);
        spinner.finish_and_clear();
        built
    }

    /// Shows the next hint.
    pub fn hint(&mut self, exercise: &Exercise) -> Result<()> {
        let count = exercise.hints.len();
        let number = match self.state.next_hint(&exercise.id, count) {
            Ok(number) => number,
            Err(error) => {
                complain!("Your progress is not kept: {error:#}");
                0
            }
        };
        let title = format!("A hint for {}, number {} of {count}:", exercise.id, number + 1);
        say!("{}", styled(HEAD, title));
        say!("{}", exercise.hints[number].text.trim_end().trim_start_matches('\n'));
        Ok(())
    }

    /// Lists all exercises, with what is done and what is left.
    pub fn list(&self) {
        let mut done = 0;
        let mut left = 0;
        let mut solved = 0;
        for chapter in &self.workshop.chapters {
            say!("{}", styled(HEAD, &chapter.name));
            for exercise in &chapter.manifest.exercises {
                let mark = match self.state.is_solved(&exercise.id) {
                    true => styled(GOOD, "done"),
                    false => styled(FAINT, "open"),
                };
                match self.state.is_solved(&exercise.id) {
                    true => {
                        solved += 1;
                        done += exercise.minutes;
                    }
                    false => left += exercise.minutes,
                }
                say!(
                    "  {mark}  {}  {:>6}  {}",
                    exercise.id,
                    minutes(exercise.minutes),
                    exercise.title
                );
            }
        }
        let count = self.all().count();
        say!("{solved} of {count} solved: {} done, {} left.", minutes(done), minutes(left));
    }

    /// What a learner without a terminal does now.
    pub fn say_what_is_next(&self) {
        match self.first_open() {
            Some((chapter, exercise)) => {
                self.introduce(&chapter, &exercise);
                say!(
                    "`cargo x watch` checks it whenever you save a file; `cargo x check` does so once."
                );
            }
            None => say!("All exercises are solved."),
        }
    }

    /// Puts the starter of an exercise back, and says where the learner's text went.
    pub fn reset(&mut self, chapter: &Chapter, exercise: &Exercise) -> Result<()> {
        let exercises = self.workshop.exercises();
        let learner = Learner::new(&exercises, chapter);
        let is_solved = |other: &Exercise| self.state.is_solved(&other.id);
        let kept = learner.reset(chapter, exercise, is_solved, &exercises.join(".backup"))?;
        say!("{} is as it was at the beginning.", exercise.id);
        for backup in kept {
            say!("What stood there is in {}", self.workshop.short(&backup));
        }
        if let Err(error) = self.state.set_solved(&exercise.id, false) {
            complain!("Your progress is not kept: {error:#}");
        }
        Ok(())
    }

    /// Shows the learner's solution beside the reference.
    pub fn diff(&self, chapter: &Chapter, exercise: &Exercise) -> Result<()> {
        let learner = Learner::new(&self.workshop.exercises(), chapter);
        for (file, mine, theirs) in learner.beside_reference(chapter, exercise)? {
            say!("{}", styled(HEAD, format!("{}/{file}: - yours, + the chapter's", chapter.name)));
            let diff = TextDiff::from_lines(&mine, &theirs);
            if mine == theirs {
                say!("No difference.");
            }
            for group in diff.grouped_ops(3) {
                for change in group.iter().flat_map(|part| diff.iter_changes(part)) {
                    let line = change.value().trim_end();
                    match change.tag() {
                        ChangeTag::Delete => say!("{}", styled(BAD, format!("- {line}"))),
                        ChangeTag::Insert => say!("{}", styled(GOOD, format!("+ {line}"))),
                        ChangeTag::Equal => say!("  {line}"),
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes later exercises build on the learner's own earlier ones, or on the chapters again.
    pub fn own(&self, on: bool) -> Result<()> {
        let files: Files = self.workshop.workspace("..", on)?;
        let toml = self.workshop.exercises().join("Cargo.toml");
        replace(&toml, &files[Path::new("Cargo.toml")])?;
        match on {
            true => {
                say!("The exercises build on your own crates of earlier chapters now.");
                say!("With chapter 7 solved, this is your own server, all the way down:");
                say!("  cd exercises && cargo run -p ex07-tcp --example echo -- 127.0.0.1:7000");
            }
            false => say!("The exercises build on the chapters again."),
        }
        Ok(())
    }
}

/// What came of a test that the learner was told of.
enum Outcome {
    Passed,
    /// With its name, and what it has said.
    Failed(String),
    /// With its name, and why.
    Skipped(String),
}

impl Workshop {
    pub fn exercises(&self) -> PathBuf {
        self.root.join("exercises")
    }

    /// Whether `own on` is in force.
    pub fn is_own(&self) -> Result<bool> {
        let toml = self.exercises().join("Cargo.toml");
        match std::fs::read_to_string(&toml) {
            Ok(text) => Ok(text.contains("package = \"ex")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => bail!("{} cannot be read: {error}", toml.display()),
        }
    }

    /// A path as one reads it from the checkout.
    pub fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

pub(super) fn say_what_does_not_compile(exercise: &Exercise, errors: &str, scratch: &Path) {
    say!("{}", in_exercises(errors_only(errors).trim_end(), scratch));
    say!("{}", styled(BAD, format!("{} does not compile yet.", exercise.id)));
}

/// Names files as the learner knows them, not as the scratch workspace does.
pub(super) fn in_exercises(text: &str, scratch: &Path) -> String {
    let mut shown = text.replace(&format!("{}/", scratch.display()), "");
    for place in ["--> ", "panicked at ", "::: "] {
        for digit in '0'..='9' {
            shown = shown.replace(&format!("{place}{digit}"), &format!("{place}exercises/{digit}"));
        }
    }
    shown
}

/// What the compiler said without its warnings: open holes make many of them.
fn errors_only(said: &str) -> String {
    let parts = said.split("\n\n").filter(|part| !part.trim_start().starts_with("warning"));
    parts.collect::<Vec<_>>().join("\n\n")
}

/// Shows that something is going on, on a terminal. Elsewhere a line says it once.
fn spinner(text: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        complain!("{text}");
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("the template is right");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(text.to_string());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
