//! The runner as a learner meets it: a small course of its own, the program `x`, and what it says.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEADLINE: Duration = Duration::from_secs(120);

const CARGO: &str = "\
[package]
name = \"ch01-tiny\"
edition = \"2024\"

[dependencies]
";
/// For the one test that needs them: building these takes longer than all the rest.
const RUNTIME: &str = "
[dev-dependencies]
ch03-block-on.workspace = true
conformance.workspace = true
";
const LIB: &str = "\
//! Futures that wait once.

use std::future::poll_fn;
use std::task::Poll;

/// Waits once, and wakes itself.
pub async fn wait_once() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        // ANCHOR: waited
        waited = true;
        // ANCHOR_END: waited
        // ANCHOR: wake
        context.waker().wake_by_ref();
        Poll::Pending
        // ANCHOR_END: wake
    })
    .await
}

/// One less, but not below zero.
pub fn previous(number: u32) -> u32 {
    number.saturating_sub(1)
}
";
const TESTS: &str = "\
use std::future::Future;
use std::task::{Context, Waker};

#[test]
fn waiting_once_comes_to_an_end() {
    let mut future = std::pin::pin!(ch01_tiny::wait_once());
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    assert!(future.as_mut().poll(&mut context).is_ready());
}

#[test]
fn previous_of_zero_is_zero() {
    assert_eq!(ch01_tiny::previous(0), 0);
}
";
const RUNTIME_TESTS: &str = "\
#[test]
fn waiting_once_comes_to_an_end() {
    conformance::watch(|| ch03_block_on::block_on(ch01_tiny::wait_once()));
}
";
const MANIFEST: &str = r#"
[[exercise]]
id = "01.1"
title = "Wait once"
goal = "Owe a wake, and pay it."
minutes = 10
tests = ["tiny::waiting_once_comes_to_an_end"]
hole = [
    { file = "src/lib.rs", anchor = "waited", todo = "remember that you have waited" },
    { file = "src/lib.rs", anchor = "wake", todo = "have yourself polled again" },
]
hint = [
    { text = "What does Pending promise?" },
    { text = "Nobody holds the waker: call it.", when = "Nobody holds its waker" },
]
mutant = [
    { says = "forgets", edit = [{ file = "src/lib.rs", find = "waited = true", replace = "waited = false" }], killed_by = ["tiny::waiting_once_comes_to_an_end"] },
    { says = "panics", edit = [{ file = "src/lib.rs", find = "waited = true", replace = "panic!()" }], killed_by = ["tiny::waiting_once_comes_to_an_end"] },
]

[[exercise]]
id = "01.2"
title = "Count down"
goal = "Counting down from zero goes wrong."
minutes = 5
tests = ["tiny::previous_of_zero_is_zero"]
bug = [{ file = "src/lib.rs", find = "saturating_sub", replace = "wrapping_sub" }]
hint = [{ text = "What is less than zero?" }]
mutant = [
    { says = "a", edit = [{ file = "src/lib.rs", find = "saturating_sub(1)", replace = "max(1)" }], killed_by = ["tiny::previous_of_zero_is_zero"] },
    { says = "b", edit = [{ file = "src/lib.rs", find = "number.saturating_sub(1)", replace = "number - 1" }], killed_by = ["tiny::previous_of_zero_is_zero"] },
]
"#;

/// A checkout of a small course, in a folder of its own.
struct Course {
    root: PathBuf,
}

impl Course {
    /// `name` is the test's: the folder stays, so that the next run need not build all anew.
    fn new(name: &str) -> Course {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        for stale in ["chapters", "exercises"] {
            let _ = fs::remove_dir_all(root.join(stale));
        }
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let project = project.display();
        let toml = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"chapters/*\"]\n\n[workspace.dependencies]\n\
             ch03-block-on = {{ path = \"{project}/chapters/03-block-on\" }}\n\
             conformance = {{ path = \"{project}/support/conformance\" }}\n"
        );
        let course = Course { root };
        course.write("Cargo.toml", &toml);
        let lock = fs::read_to_string(format!("{project}/Cargo.lock")).unwrap();
        course.write("Cargo.lock", &lock);
        course.write("chapters/01-tiny/Cargo.toml", CARGO);
        course.write("chapters/01-tiny/src/lib.rs", LIB);
        course.write("chapters/01-tiny/tests/tiny.rs", TESTS);
        course.write("chapters/01-tiny/workshop/exercises.toml", MANIFEST);
        fs::create_dir_all(course.root.join("support/x")).unwrap();
        assert!(course.x(&["gen"]).status.success());
        course
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_x"));
        command.args(arguments).env("CARGO_MANIFEST_DIR", self.root.join("support/x"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn x(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What `x` prints, and whether it says that all is well.
    fn says(&self, arguments: &[&str]) -> (String, bool) {
        let output = self.x(arguments);
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (text, output.status.success())
    }

    /// Fills the two holes of the first exercise, the second one with this text.
    fn fill(&self, text: &str) {
        let solution = self.read(SOLUTION);
        let solution = solution
            .replace(
                "        todo!(\"01.1: remember that you have waited\");",
                "        waited = true;",
            )
            .replace("        todo!(\"01.1: have yourself polled again\");", text);
        self.write(SOLUTION, &solution);
    }
}

const SOLUTION: &str = "exercises/01-tiny/src/lib.rs";
const RIGHT: &str = "        context.waker().wake_by_ref();\n        Poll::Pending";

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

#[test]
fn a_starter_is_red_and_says_what_is_owed() {
    let course = Course::new("starter");
    let (text, green) = course.says(&["check"]);
    assert!(!green);
    contains(&text, "01.1 Wait once");
    contains(&text, "failed tiny::waiting_once_comes_to_an_end");
    contains(&text, "not yet implemented: 01.1: remember that you have waited");
    contains(&text, "panicked at exercises/01-tiny/src/lib.rs:");
    assert!(!text.contains('\x1b'), "there are no colours without a terminal:\n{text}");
}

#[test]
fn a_test_that_this_machine_cannot_run_does_not_count_as_passed() {
    let course = Course::new("skipped");
    let skips = "comes_to_an_end() {\n    if true {\n        \
                 return eprintln!(\"SKIPPED: waiting: there is no time here\");\n    }";
    let tests = TESTS.replace("comes_to_an_end() {", skips);
    course.write("chapters/01-tiny/tests/tiny.rs", &tests);
    assert!(course.x(&["gen"]).status.success());
    let (text, green) = course.says(&["check", "01.1"]);
    assert!(!green, "{text}");
    contains(&text, "skipped waiting: there is no time here");
    contains(&text, "it cannot be checked here");
}

#[test]
fn a_solution_is_green_and_reset_takes_it_back_and_keeps_it() {
    let course = Course::new("solution");
    let starter = course.read(SOLUTION);
    course.fill(RIGHT);
    let solution = course.read(SOLUTION);
    let (text, green) = course.says(&["check", "1.1"]);
    assert!(green, "{text}");
    contains(&text, "01.1 is solved.");
    contains(&course.says(&["list"]).0, "1 of 2 solved: 10 min done, 5 min left.");
    contains(&course.says(&["diff", "01.1"]).0, "No difference.");
    contains(&course.says(&["hint"]).0, "A hint for 01.2");

    let (text, _) = course.says(&["reset", "01.1"]);
    contains(&text, "What stood there is in exercises/.backup/01.1-1/src/lib.rs");
    assert_eq!(course.read(SOLUTION), starter);
    assert_eq!(course.read("exercises/.backup/01.1-1/src/lib.rs"), solution);
    contains(&course.says(&["list"]).0, "0 of 2 solved");
}

#[test]
fn resetting_one_exercise_leaves_the_others_in_the_same_file_alone() {
    let course = Course::new("reset");
    course.fill(RIGHT);
    let mended = course.read(SOLUTION).replace("wrapping_sub", "saturating_sub");
    course.write(SOLUTION, &mended);
    assert!(course.says(&["check", "01.1"]).1 && course.says(&["check", "01.2"]).1);

    course.x(&["reset", "01.2"]);
    assert!(course.says(&["check", "01.1"]).1);
    assert!(!course.says(&["check", "01.2"]).1);

    course.write(SOLUTION, &mended);
    course.x(&["reset", "01.1"]);
    assert!(!course.says(&["check", "01.1"]).1);
    assert!(course.says(&["check", "01.2"]).1);

    // A file whose marks are gone is the starter's again, whole; what it was is kept.
    course.write(SOLUTION, "nothing is left");
    course.x(&["reset", "01.1"]);
    contains(&course.read(SOLUTION), "todo!(\"01.1: have yourself polled again\");");
}

#[test]
fn a_mend_that_breaks_an_earlier_exercise_is_none() {
    let course = Course::new("broken");
    course.fill(RIGHT);
    assert!(course.says(&["check", "01.1"]).1);
    let mended = course.read(SOLUTION).replace("wrapping_sub", "saturating_sub");
    course.write(SOLUTION, &mended.replace("waited = true", "waited = false"));
    let (text, green) = course.says(&["check", "01.2"]);
    assert!(!green);
    contains(&text, "passed tiny::previous_of_zero_is_zero");
    contains(&text, "failed tiny::waiting_once_comes_to_an_end");
    contains(&text, "This is a test of 01.1, which was solved before this change.");

    course.write(SOLUTION, &mended);
    assert!(course.says(&["check", "01.2"]).1);
}

#[test]
fn a_hang_is_ended_and_explained_and_the_hint_fits() {
    let course = Course::new("hang");
    course.write("chapters/01-tiny/Cargo.toml", &format!("{CARGO}{RUNTIME}"));
    course.write("chapters/01-tiny/tests/tiny.rs", RUNTIME_TESTS);
    course.fill("        Poll::Pending");
    let (text, green) = course.says(&["check", "01.1"]);
    assert!(!green);
    contains(&text, "hung   tiny::waiting_once_comes_to_an_end");
    contains(&text, "The main future has been pending for");
    contains(&text, "Nobody holds its waker, so nothing can wake it.");
    contains(&course.says(&["hint", "01.1"]).0, "Nobody holds the waker: call it.");
    contains(&course.says(&["hint", "01.1"]).0, "What does Pending promise?");

    // The same run, step by step: in a page that needs nothing else, and for Perfetto.
    let chrome = course.root.join("target/trace.json");
    let (text, shown) = course.says(&["replay", "01.1", "--chrome", chrome.to_str().unwrap()]);
    assert!(shown, "{text}");
    contains(&text, "hung   tiny::waiting_once_comes_to_an_end");
    let page = course.read("target/x/replay/01.1.html");
    contains(&page, "<h1>01.1 Wait once</h1>");
    contains(&page, r#"{"ev":"end","how":"hung"}"#);
    contains(&page, "<li value=\"0\">The main future is polled.</li>");
    contains(&page, "the main future returned Pending, and nobody kept its waker");
    contains(&page, "customElements.define(\"rt-replay\"");
    assert!(!page.contains("src=\"") && !page.contains("href=\""), "it needs another file");
    let trace: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(chrome).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|event| event["ph"] == "B" && event["name"] == "park"), "{trace}");

    // The solution can be looked at, too.
    let solution = course.read(SOLUTION);
    let solution = solution
        .replace("        Poll::Pending\n        // END", &format!("{RIGHT}\n        // END"));
    course.write(SOLUTION, &solution);
    let (text, shown) = course.says(&["replay", "01.1"]);
    assert!(shown, "{text}");
    contains(&text, "passed tiny::waiting_once_comes_to_an_end");
    contains(&course.read("target/x/replay/01.1.html"), r#"{"ev":"end","how":"done"}"#);
}

#[test]
fn a_run_without_a_runtime_a_test_that_is_none_and_a_compiler_error_get_a_sentence() {
    let course = Course::new("replay");
    let (text, shown) = course.says(&["replay", "01.1"]);
    assert!(!shown);
    contains(&text, "failed tiny::waiting_once_comes_to_an_end (no runtime ran in it)");
    contains(&text, "there is nothing to show");
    let (text, shown) = course.says(&["replay", "01.1", "--test", "tiny::wrong"]);
    assert!(!shown);
    contains(&text, "there is no test tiny::wrong");
    course.fill("        context.wakes()");
    let (text, shown) = course.says(&["replay", "01.1"]);
    assert!(!shown);
    contains(&text, "01.1 does not compile yet.");
}

#[test]
fn a_compiler_error_names_the_learners_file() {
    let course = Course::new("compiler");
    course.fill("        let unused = 1;\n        context.wakes()");
    let (text, green) = course.says(&["check", "01.1"]);
    assert!(!green);
    contains(&text, "--> exercises/01-tiny/src/lib.rs:");
    contains(&text, "no method named `wakes`");
    assert!(!text.contains("unused variable"), "warnings of holes stand before the error:\n{text}");
    contains(&text, "01.1 does not compile yet.");
}

#[test]
fn an_edited_or_deleted_test_does_not_pass() {
    let course = Course::new("cheat");
    let test = "exercises/01-tiny/tests/tiny.rs";
    course.write(test, "#[test]\nfn waiting_once_comes_to_an_end() {}\n");
    assert!(!course.says(&["check", "01.1"]).1);
    fs::remove_dir_all(course.root.join("exercises/01-tiny/tests")).unwrap();
    assert!(!course.says(&["check", "01.1"]).1);
    course.write("exercises/01-tiny/Cargo.toml", "[package]\nname = \"other\"\n");
    assert!(!course.says(&["check", "01.1"]).1);
}

#[test]
fn a_damaged_state_file_is_told_and_costs_nothing_but_itself() {
    let course = Course::new("state");
    course.write("exercises/.progress", "solved 01.2\n\u{0}garbage\n");
    let (text, green) = course.says(&["list"]);
    assert!(green);
    contains(&text, "1 line(s) of ");
    contains(&text, "1 of 2 solved");
    contains(&course.read("exercises/.progress-damaged"), "garbage");

    // A folder in its place cannot be read at all.
    fs::remove_file(course.root.join("exercises/.progress")).unwrap();
    fs::create_dir(course.root.join("exercises/.progress")).unwrap();
    let (text, green) = course.says(&["list"]);
    assert!(!green);
    contains(&text, "exercises/.progress cannot be read");
}

#[test]
fn an_exercise_that_does_not_exist_gets_a_sentence() {
    let course = Course::new("unknown");
    let (text, green) = course.says(&["check", "99.1"]);
    assert!(!green);
    assert_eq!(text, "there is no exercise 99.1: `cargo x list` names them all\n");
}

#[test]
fn a_learners_crate_that_is_gone_gets_a_sentence() {
    let course = Course::new("gone");
    fs::remove_dir_all(course.root.join("exercises/01-tiny")).unwrap();
    let (text, green) = course.says(&["check", "01.1"]);
    assert!(!green);
    contains(&text, "`git checkout -- exercises` brings the starters back");
}

#[test]
fn gen_check_finds_a_changed_starter_and_a_file_too_many() {
    let course = Course::new("gen");
    assert!(course.says(&["gen", "--check"]).1);
    course.write("exercises/01-tiny/src/more.rs", "");
    course.fill(RIGHT);
    let (text, green) = course.says(&["gen", "--check"]);
    assert!(!green);
    contains(&text, "exercises/01-tiny/src/lib.rs");
    contains(&text, "exercises/01-tiny/src/more.rs");
    contains(&text, "Run `cargo x gen` if you have changed a chapter.");
}

#[test]
fn start_without_a_terminal_says_what_is_next_and_ends() {
    let course = Course::new("start");
    let (text, _) = course.says(&["start"]);
    contains(&text, "Linux");
    contains(&text, "0 of 2 solved");
    contains(&text, "01.1 Wait once");
    contains(&text, "`cargo x watch` checks it whenever you save a file");
}

/// `x watch`, with a hand on its keyboard and an eye on what it prints.
struct Watching {
    child: Child,
    keys: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Watching {
    fn new(course: &Course) -> Watching {
        let mut child =
            course.command(&["watch"]).stdin(Stdio::piped()).process_group(0).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let keys = child.stdin.take();
        Watching { child, keys, lines }
    }

    fn press(&mut self, key: &str) {
        self.keys.as_mut().unwrap().write_all(key.as_bytes()).unwrap();
    }

    /// Reads on until a line contains this.
    #[track_caller]
    fn wait_for(&self, part: &str) {
        let end = Instant::now() + DEADLINE;
        let mut seen = String::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if line.contains(part) {
                return;
            }
            seen += &line;
            seen.push('\n');
        }
        panic!("{part:?} did not come, but:\n{seen}");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_checks_again_at_each_save_and_moves_on() {
    let course = Course::new("watch");
    let mut watching = Watching::new(&course);
    watching.wait_for("01.1 Wait once");
    watching.wait_for("01.1 is still open.");
    watching.press("h");
    watching.wait_for("A hint for 01.1, number 1 of 2:");
    watching.press("l");
    watching.wait_for("0 of 2 solved");

    course.fill(RIGHT);
    watching.wait_for("01.1 is solved.");
    watching.wait_for("01.2 Count down");
    watching.wait_for("01.2 is still open.");
    let mended = course.read(SOLUTION).replace("wrapping_sub", "saturating_sub");
    course.write(SOLUTION, &mended);
    watching.wait_for("01.2 is solved.");
    watching.wait_for("all exercises are solved");
    assert!(watching.child.wait().unwrap().success());
}

#[test]
fn watch_resets_and_quits_at_a_key() {
    let course = Course::new("keys");
    course.fill(RIGHT);
    let mut watching = Watching::new(&course);
    watching.wait_for("01.1 is solved.");
    watching.wait_for("01.2 is still open.");
    watching.press("r");
    watching.wait_for("01.2 is as it was at the beginning.");
    watching.press("q");
    assert!(watching.child.wait().unwrap().success());
}

#[test]
fn ctrl_c_in_the_middle_of_a_check_leaves_no_process_behind() {
    let course = Course::new("interrupted");
    course.fill("        loop { std::hint::spin_loop() }");
    let mut child = course.command(&["check", "01.1"]).spawn().unwrap();

    // The test binary runs out of the course's own target folder.
    let target = course.root.join("target/x/target");
    let running = || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        processes
            .filter_map(|process| fs::read_link(process.path().join("exe")).ok())
            .filter(|exe| exe.starts_with(&target) && exe.display().to_string().contains("/tiny-"))
            .count()
    };
    let end = Instant::now() + DEADLINE;
    while running() == 0 {
        assert!(Instant::now() < end, "the test did not start");
        thread::yield_now();
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // A killed process is gone when its parent's end has been seen, or a moment after.
    while running() > 0 {
        assert!(Instant::now() < end, "the test still runs");
        thread::yield_now();
    }
}
