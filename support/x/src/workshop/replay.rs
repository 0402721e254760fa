//! A run of a learner's own code, as a page that shows it step by step.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use trace::{Cast, End, Record, Replay, read_copy, to_chrome_trace};

use super::crates::{Chapter, Fill};
use super::manifest::Exercise;
use super::run::{Built, Tests, Verdict};
use super::scratch::Scratch;
use super::session::{HUNG, PATIENCE, Session, in_exercises, say_what_does_not_compile};
use super::show::{FAINT, readable, say, styled};
use super::{Workshop, verifier};

/// How many steps a page shows. Whoever goes round and round makes more than anybody looks at.
const STEPS: usize = 1_000;

const SCRIPT: &str = include_str!("../../../../book/theme/replay.js");
const STYLES: [&str; 3] = [
    include_str!("replay.css"),
    include_str!("../../../../book/theme/figures.css"),
    include_str!("../../../../book/theme/replay.css"),
];

/// A test that was run, and what it has recorded.
struct Run {
    test: String,
    records: Vec<Record>,
    end: End,
    /// What it has printed, if it failed.
    said: String,
}

impl Run {
    /// What the page has of it.
    fn shown(&self) -> (&[Record], End) {
        let end = self.end.clone();
        match self.records.split_at_checked(STEPS) {
            Some((first, [_, ..])) => (first, End::Cut(self.records.len(), Box::new(end))),
            _ => (&self.records, end),
        }
    }
}

/// Records a test of an exercise, writes the page, and opens it where there is a browser. Returns
/// whether there was something to show.
pub fn replay(
    session: &Session,
    chapter: &Chapter,
    exercise: &Exercise,
    test: Option<&str>,
    chrome: Option<&Path>,
) -> Result<bool> {
    let root = &session.workshop.root;
    let scratch = Scratch::new(root.join("target/x/check"));
    let _lock = scratch.lock()?;
    let tests = match session.built(chapter, &scratch)? {
        Built::Tests(tests) => tests,
        Built::Failed(errors) => {
            say_what_does_not_compile(exercise, &errors, scratch.folder());
            return Ok(false);
        }
    };
    let wanted = match test {
        None => exercise.tests.clone(),
        Some(test) => {
            let names = tests.names()?;
            ensure!(
                names.iter().any(|name| name == test),
                "there is no test {test}: the exercise has {}",
                exercise.tests.join(", ")
            );
            vec![test.to_string()]
        }
    };
    let folder = root.join("target/x/replay");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let course = Course { root, built: scratch.folder() };
    let Some(run) = first_that_fails(&tests, &wanted, PATIENCE, &folder, course)? else {
        say!("Nothing was recorded: there is nothing to show. `cargo x check` says what is wrong.");
        return Ok(false);
    };
    say!("{} {}", verdict(&run.end), run.test);
    if let Some(chrome) = chrome {
        write(chrome, &to_chrome_trace(&Cast::NAMELESS, &run.records))?;
        say!("{}: open it at https://ui.perfetto.dev", chrome.display());
    }
    let page = folder.join(format!("{}.html", exercise.id));
    write(&page, &html(exercise, &run, course))?;
    say!("The run, step by step: {}", page.display());
    open(&page);
    Ok(true)
}

/// Makes pages as [`replay`] does, whatever the learner has written, and leaves no others: of each exercise one
/// of a run that fails, one of a run that passes, and one of a run that hangs. The tests in a browser look at
/// them.
pub fn pages(workshop: &Workshop, exercises: &[(Chapter, Exercise)]) -> Result<()> {
    let folder = workshop.root.join("target/x/pages");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    exercises
        .iter()
        .try_for_each(|(chapter, exercise)| pages_of(workshop, chapter, exercise, &folder))
}

/// The starter, the chapter's own code and the planted bugs are run in turn, until there is a run of each kind.
fn pages_of(
    workshop: &Workshop,
    chapter: &Chapter,
    exercise: &Exercise,
    folder: &Path,
) -> Result<()> {
    let root = &workshop.root;
    // What `verify` has built there need not be built again.
    let (home, workspace) = workshop.alone(chapter, "verify-0")?;
    let target = home.join("target");
    let verifier = verifier(Scratch::new(home.join("exercises")), &target);
    let _lock = verifier.scratch.lock()?;
    let course = Course { root, built: verifier.scratch.folder() };
    let sound = [Fill::Starter, Fill::Reference].map(|fill| (fill, verifier.patience));
    let bugs = exercise.mutants.iter().map(|bug| (Fill::Mutant(bug), verifier.impatience));
    let mut ends = BTreeSet::new();
    for (fill, patience) in sound.into_iter().chain(bugs) {
        if ends.len() == 3 {
            break;
        }
        let tests = verifier.built(chapter, &workspace, |other| match other.id == exercise.id {
            true => fill,
            false => Fill::Reference,
        })?;
        let run = first_that_fails(&tests, &exercise.tests, patience, folder, course)?;
        let Some(run) = run else { continue };
        let end = verdict(&run.end).trim();
        if ends.insert(end) {
            let page = folder.join(format!("{}-{end}.html", exercise.id));
            write(&page, &html(exercise, &run, course))?;
            say!("{}", page.display());
        }
    }
    let ends = Vec::from_iter(ends);
    ensure!(ends.len() == 3, "{} has no run of each kind, only: {}", exercise.id, ends.join(", "));
    Ok(())
}

/// Runs these tests up to the first that fails. If none does, it is the first of all. Those that have
/// recorded nothing do not count.
fn first_that_fails(
    tests: &Tests,
    names: &[String],
    patience: Duration,
    folder: &Path,
    course: Course,
) -> Result<Option<Run>> {
    let file = &folder.join("recording");
    let mut passed = None;
    for name in names {
        // What an earlier one, or an earlier process, has left there.
        recorded(file)?;
        let (end, said) = match tests.run_recorded(name, patience, file)? {
            Verdict::Skipped(why) => {
                say!("{} {why}", styled(FAINT, "skipped"));
                continue;
            }
            Verdict::Passed => (End::Done, String::new()),
            Verdict::TimedOut(said) => (End::Hung, said),
            Verdict::Failed(said) if said.contains(HUNG) => (End::Hung, said),
            Verdict::Failed(said) => (End::Failed(panic_line(&said)), said),
        };
        let mut records = recorded(file)?;
        for record in &mut records {
            record.place.file = course.named(&record.place.file).into();
        }
        let said = in_exercises(&readable(&said), course.built);
        // The page may be sent to somebody, whom the rest of the path does not concern.
        let said = said.replace(&format!("{}/", course.root.display()), "");
        let run = Run { test: name.clone(), records, end, said };
        if run.records.is_empty() {
            let what = format!("{} {name} (no runtime ran in it)", verdict(&run.end));
            say!("{}", styled(FAINT, what));
        } else if run.end != End::Done {
            return Ok(Some(run));
        } else if passed.is_none() {
            passed = Some(run);
        }
    }
    Ok(passed)
}

/// What a test has recorded, which takes the file away. A test that was killed may have left half a
/// line.
fn recorded(file: &Path) -> Result<Vec<Record>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        // A test without a watchdog records nothing.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", file.display()));
        }
    };
    fs::remove_file(file).with_context(|| format!("{} cannot be removed", file.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    read_copy(whole).map_err(anyhow::Error::msg).context("the recording cannot be read")
}

/// The line of a panic that says what is wrong.
fn panic_line(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    lines.nth(1).unwrap_or("It has not said why.").trim().to_string()
}

fn verdict(end: &End) -> &'static str {
    match end {
        End::Done => "passed",
        End::Hung => "hung  ",
        End::Failed(_) | End::Error(_) => "failed",
        End::Cut(_, end) => verdict(end),
    }
}

/// The checkout, and the scratch workspace in which its exercises were built.
#[derive(Clone, Copy)]
struct Course<'a> {
    root: &'a Path,
    built: &'a Path,
}

impl Course<'_> {
    /// Names a file from the checkout. The compiler names one of the scratch workspace from there, and all
    /// others from the root.
    fn named(self, file: &str) -> String {
        match Path::new(file).strip_prefix(self.root) {
            Ok(inside) => inside.display().to_string(),
            Err(_) if Path::new(file).is_absolute() => file.to_string(),
            Err(_) => format!("exercises/{file}"),
        }
    }

    /// What was in a file of this name when it was built. In `exercises`, it may read differently by now,
    /// and a test always may.
    fn text(self, name: &Path) -> Option<String> {
        let path = match name.strip_prefix("exercises") {
            Ok(inside) => self.built.join(inside),
            Err(_) => self.root.join(name),
        };
        fs::read_to_string(path).ok()
    }
}

fn html(exercise: &Exercise, run: &Run, course: Course) -> String {
    let (records, end) = run.shown();
    let source = |path: &Path| course.text(path);
    let replay =
        Replay { title: &run.test, command: None, cast: Cast::NAMELESS, skip: &[], records, end };
    let piece = replay.to_html(source);
    let said = match run.said.trim() {
        "" => String::new(),
        said => format!(
            "<details><summary>What the test says</summary><pre><code>{}</code></pre></details>\n",
            escaped(said)
        ),
    };
    let files: BTreeSet<PathBuf> =
        records.iter().map(|record| PathBuf::from(&*record.place.file)).collect();
    let code = files.iter().filter_map(|file| {
        let text = source(file)?;
        let (file, text) = (escaped(&file.display().to_string()), escaped(&text));
        Some(format!(
            "<details><summary>{file}</summary><pre><code>{text}</code></pre></details>\n"
        ))
    });
    let code: String = code.collect();
    let title = escaped(&format!("{} {}", exercise.id, exercise.title));
    let styles = STYLES.concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{styles}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p>A run of your code, in the test <code>{test}</code>.</p>\n{said}\
         <rt-replay>\n{piece}</rt-replay>\n<h2>The code of these steps</h2>\n{code}</main>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        test = escaped(&run.test),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Shows a page in a browser, if somebody sits in front of one. If not, the path was told.
fn open(page: &Path) {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    if has_screen && io::stdout().is_terminal() {
        let mut browser = Command::new("xdg-open");
        browser.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Where there is none, the reader opens it.
        let _ = browser.spawn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace::{Event, Place};

    #[test]
    fn a_file_is_named_from_the_checkout() {
        let root = Path::new("/home/me/course");
        let course = Course { root, built: Path::new("/home/me/course/target/x/check") };
        let named = |file| course.named(file);
        assert_eq!(named("05-executor/src/park.rs"), "exercises/05-executor/src/park.rs");
        assert_eq!(named("/home/me/course/chapters/04/src/a.rs"), "chapters/04/src/a.rs");
        assert_eq!(named("/rustc/library/core.rs"), "/rustc/library/core.rs");
    }

    #[test]
    fn the_code_of_a_page_is_what_was_built_and_not_what_a_learner_has_made_of_it_since() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("exercises/05/src/a.rs", "new");
        write("target/x/check/05/src/a.rs", "built");
        write("chapters/04/src/a.rs", "the chapter's");
        let course = Course { root: root.path(), built: &root.path().join("target/x/check") };
        let text = |name| course.text(Path::new(name));
        assert_eq!(text("exercises/05/src/a.rs").as_deref(), Some("built"));
        assert_eq!(text("chapters/04/src/a.rs").as_deref(), Some("the chapter's"));
        assert_eq!(text("/rustc/library/core.rs"), None);
    }

    #[test]
    fn half_a_line_at_the_end_is_no_record() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = "\u{1e}{\"at\":{\"secs\":0,\"nanos\":5},\"thread\":0,\"file\":\"a.rs\",\"line\":1,\"event\":{\"ev\":\"unpark\"}}";
        fs::write(file.path(), format!("{line}\n{}", &line[..20])).unwrap();
        let records = recorded(file.path()).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].event, Event::Unpark);
        // It was taken away.
        assert!(recorded(file.path()).unwrap().is_empty());
    }

    #[test]
    fn a_page_ends_where_nobody_looks_any_more() {
        let record = Record {
            seq: 0,
            at: Duration::ZERO,
            thread: 0,
            place: Place::new("a.rs", 1),
            event: Event::Unpark,
        };
        let shown = |count| {
            let records = vec![record.clone(); count];
            let run = Run { test: String::new(), records, end: End::Done, said: String::new() };
            let (records, end) = run.shown();
            (records.len(), end)
        };
        assert_eq!(shown(STEPS), (STEPS, End::Done));
        assert_eq!(shown(STEPS + 1), (STEPS, End::Cut(STEPS + 1, Box::new(End::Done))));
    }

    #[test]
    fn nothing_ends_the_script_of_the_page_too_early() {
        assert!(!SCRIPT.contains("</script"));
        assert!(STYLES.iter().all(|style| !style.contains("</style")));
    }

    #[test]
    fn a_panic_says_what_is_wrong_in_its_second_line() {
        let said = "begun\nthread 'a' (1) panicked at a.rs:1:1:\n  it fell\nnote: …\n";
        assert_eq!(panic_line(said), "it fell");
        assert_eq!(panic_line("killed"), "It has not said why.");
    }
}
