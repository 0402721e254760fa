//! Each `ANCHOR` is opened once in its file, and closed.

use std::collections::BTreeMap;
use std::path::Path;

use super::Problem;
use crate::tree::{Tree, line_at};

const OPEN: &str = "ANCHOR:";
const CLOSE: &str = "ANCHOR_END:";

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.files()
        .filter(|(path, _)| path.extension().is_some_and(|it| it == "rs"))
        // The tests in here hold broken ones.
        .filter(|(path, _)| !path.starts_with("support/x"))
        .flat_map(|(path, text)| check_file(path, text))
        .collect()
}

fn check_file(path: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut opened = BTreeMap::new();
    let mut closed = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = mark(line, CLOSE) {
            match opened.remove(name) {
                Some(_) => closed.push(name),
                None => problems.push(Problem::new(
                    path,
                    number,
                    format!("the anchor `{name}` is closed, but was not opened."),
                )),
            }
        } else if let Some(name) = mark(line, OPEN)
            && (closed.contains(&name) || opened.insert(name, number).is_some())
        {
            problems.push(Problem::new(
                path,
                number,
                format!("the anchor `{name}` is opened twice; a page would get the first only."),
            ));
        }
    }
    for (name, number) in opened {
        problems.push(Problem::new(path, number, format!("the anchor `{name}` is never closed.")));
    }
    problems
}

/// The name in a line that has the mark `kind`.
fn mark<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(kind)?;
    let rest = rest.trim_start();
    let end =
        rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// The line at which the anchor `name` is opened in `text`, and what a page gets if it includes it.
pub fn region<'a>(text: &'a str, name: &str) -> Option<(usize, Vec<&'a str>)> {
    let mut offset = 0;
    let mut lines = text.split_inclusive('\n');
    lines.find(|line| {
        offset += line.len();
        mark(line, OPEN) == Some(name)
    })?;
    let shown = lines
        .take_while(|line| mark(line, CLOSE) != Some(name))
        .filter(|line| mark(line, OPEN).or(mark(line, CLOSE)).is_none())
        .collect();
    Some((line_at(text, offset - 1), shown))
}

/// Whether `text` has any marks, which a page would show if it included the whole of it.
pub fn has_marks(text: &str) -> bool {
    text.lines().any(|line| mark(line, OPEN).or(mark(line, CLOSE)).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_code(code: &str) -> String {
        said(check, &Tree::of([("chapters/a.rs", code)]))
    }

    #[test]
    fn regions_may_nest_and_follow_one_another() {
        let code = "// ANCHOR: all\n// ANCHOR: a\na\n// ANCHOR_END: a\n// ANCHOR: b-2\n// ANCHOR_END: b-2\n// ANCHOR_END: all\n";
        assert_eq!(check_code(code), "");
    }

    #[test]
    fn an_anchor_that_stays_open_is_refused() {
        assert_eq!(
            check_code("fn a() {}\n// ANCHOR: a\n// ANCHOR_END: b\n"),
            "chapters/a.rs:3: the anchor `b` is closed, but was not opened.\n\
             chapters/a.rs:2: the anchor `a` is never closed."
        );
    }

    #[test]
    fn an_anchor_that_is_opened_twice_is_refused() {
        let twice = "// ANCHOR: a\n// ANCHOR_END: a\n// ANCHOR: a\n// ANCHOR_END: a\n";
        let said = check_code(twice);
        assert!(said.contains("chapters/a.rs:3: the anchor `a` is opened twice"));
    }

    #[test]
    fn a_region_is_what_mdbook_shows() {
        let code = "// ANCHOR: a\none\n// ANCHOR: b\ntwo\n// ANCHOR_END: b\n// ANCHOR_END: a\nno\n";
        assert_eq!(region(code, "a"), Some((1, vec!["one\n", "two\n"])));
        assert_eq!(region(code, "b"), Some((3, vec!["two\n"])));
        assert_eq!(region(code, "c"), None);
    }
}
