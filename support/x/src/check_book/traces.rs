//! Each trace is named in the chapter's tests/replays.rs. One that no test records any more would be
//! compared with nothing, and drift from the code.

use std::path::{Path, PathBuf};

use super::Problem;
use crate::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let traces = tree.book("html").filter(|(path, _)| is_trace(path));
    traces.filter_map(|(path, _)| check_trace(tree, path)).collect()
}

fn is_trace(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("traces"))
}

fn check_trace(tree: &Tree, trace: &Path) -> Option<Problem> {
    let tests = tests(trace)?;
    let name = trace.file_stem()?.to_string_lossy();
    // A demo is recorded twice, by its own name.
    let demo = ["-failing", "-mended"].iter().find_map(|end| name.strip_suffix(end));
    let text = tree.get(&tests).unwrap_or_default();
    let is_recorded =
        [Some(&*name), demo].into_iter().flatten().any(|it| text.contains(&format!("\"{it}\"")));
    let sentence = format!("{} records no such run.", tests.display());
    (!is_recorded).then(|| Problem::new(trace, 1, sentence))
}

/// The tests that record it: those of the chapter in whose part of the book it is.
fn tests(trace: &Path) -> Option<PathBuf> {
    let chapter = trace.parent()?.parent()?.file_name()?;
    Some(Path::new("chapters").join(chapter).join("tests/replays.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_name(name: &str) -> String {
        let trace = format!("book/src/05-five/traces/{name}.html");
        let tests = "replay::demo(\"demo\", …); Scenario { name: \"scene-failing\", … }";
        said(check, &Tree::of([(&trace, ""), ("chapters/05-five/tests/replays.rs", tests)]))
    }

    #[test]
    fn what_is_recorded_passes() {
        for name in ["demo-failing", "demo-mended", "scene-failing"] {
            assert_eq!(check_name(name), "");
        }
    }

    #[test]
    fn what_nobody_records_is_refused() {
        for name in ["gone", "gone-mended", "scene-mended", "dem"] {
            assert_eq!(
                check_name(name),
                format!(
                    "book/src/05-five/traces/{name}.html:1: \
                     chapters/05-five/tests/replays.rs records no such run."
                )
            );
        }
    }

    #[test]
    fn a_chapter_without_such_tests_records_nothing() {
        let said = said(check, &Tree::of([("book/src/05-five/traces/demo.html", "")]));
        assert!(said.contains("chapters/05-five/tests/replays.rs records no such run."));
    }
}
