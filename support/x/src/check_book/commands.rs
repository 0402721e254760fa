//! A command that a page shows names a crate, an example and a test that exist, and only one example
//! has that name: cargo builds all examples into one folder, where a second one replaces the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Problem;
use crate::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let readme = Path::new("README.md");
    let readme = tree.get(readme).map(|text| (readme, text));
    let mut problems = taken_twice(tree);
    for (page, text) in tree.pages().chain(readme) {
        for (number, line) in (1..).zip(text.lines()) {
            if line.contains("cargo ") {
                let fault = fault(tree, line);
                problems.extend(fault.map(|it| Problem::new(page, number, it)));
            }
        }
    }
    problems
}

fn fault(tree: &Tree, line: &str) -> Option<String> {
    let package = after(line, "-p")?;
    let Some(folder) = folder_of(tree, package) else {
        return Some(format!("there is no crate `{package}`."));
    };
    [("--example", "examples"), ("--test", "tests")].into_iter().find_map(|(option, place)| {
        let name = after(line, option)?;
        let is_there =
            sources(&folder.join(place), name).iter().any(|path| tree.get(path).is_some());
        (!is_there).then(|| format!("`{package}` has no `{name}` in {place}/."))
    })
}

/// The word that follows `option`, as far as it is a name.
fn after<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == option)?;
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    words.next()?.split(|c| !name(c)).next()
}

/// The folder of the crate with this name.
fn folder_of<'a>(tree: &'a Tree, package: &str) -> Option<&'a Path> {
    let name = format!("name = \"{package}\"");
    let (manifest, _) = tree
        .files()
        .filter(|(path, _)| path.ends_with("Cargo.toml"))
        .find(|(_, text)| text.lines().any(|line| line == name))?;
    manifest.parent()
}

/// Where the source of an example or a test can be.
fn sources(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(name).with_extension("rs"), folder.join(name).join("main.rs")]
}

fn taken_twice(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut taken = BTreeMap::new();
    // The exercises are a workspace of their own, with the names of the chapters.
    for (path, _) in tree.files().filter(|(path, _)| !path.starts_with("exercises")) {
        let Some(name) = example(path) else { continue };
        if let Some(other) = taken.insert(name, path) {
            let other = other.display();
            let sentence = format!("{other} has the same name; cargo builds both into one file.");
            problems.push(Problem::new(path, 1, sentence));
        }
    }
    problems
}

/// The name of the example whose source this is: `…/examples/NAME.rs` or `…/examples/NAME/main.rs`.
fn example(path: &Path) -> Option<&Path> {
    let (folder, name) = if path.ends_with("main.rs") {
        (path.parent()?.parent()?, path.parent()?.file_name()?)
    } else {
        (path.parent()?, path.file_stem()?)
    };
    let is_rust = path.extension()? == "rs";
    (is_rust && folder.ends_with("examples")).then(|| Path::new(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_text(page: &str) -> String {
        said(
            check,
            &Tree::of([
                ("book/src/a.md", page),
                ("chapters/01-one/Cargo.toml", "[package]\nname = \"ch01-one\"\n"),
                ("chapters/01-one/examples/spin.rs", ""),
                ("chapters/01-one/examples/big/main.rs", ""),
                ("chapters/01-one/examples/big/part.rs", ""),
                ("chapters/01-one/tests/states.rs", ""),
            ]),
        )
    }

    #[test]
    fn commands_that_exist_may_be_shown() {
        assert_eq!(
            check_text(
                "$ cargo run -q -p ch01-one --example spin -- mended\n\
                 `cargo run -p ch01-one --example big`\n\
                 and `cargo test -p ch01-one --test states`.\n"
            ),
            ""
        );
    }

    #[test]
    fn a_crate_an_example_or_a_test_that_is_not_there_is_refused() {
        assert_eq!(
            check_text(
                "$ cargo test -p ch02-two\n\
                 `cargo run -p ch01-one --example gone`\n\
                 $ cargo test -p ch01-one --test gone\n"
            ),
            "book/src/a.md:1: there is no crate `ch02-two`.\n\
             book/src/a.md:2: `ch01-one` has no `gone` in examples/.\n\
             book/src/a.md:3: `ch01-one` has no `gone` in tests/."
        );
    }

    #[test]
    fn two_examples_of_one_name_are_refused() {
        let tree = Tree::of([
            ("chapters/01-one/examples/echo.rs", ""),
            ("chapters/07-seven/examples/echo/main.rs", ""),
        ]);
        assert_eq!(
            said(check, &tree),
            "chapters/07-seven/examples/echo/main.rs:1: chapters/01-one/examples/echo.rs \
             has the same name; cargo builds both into one file."
        );
    }
}
