//! Makes exercise crates out of chapters: the same files, with holes.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::manifest::{Exercise, Manifest, Mutant};

/// The text files of a crate or a workspace, by their paths in it.
pub type Files = BTreeMap<PathBuf, String>;

/// A chapter that has exercises.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// The folder's name: `04-waker`.
    pub name: String,
    pub manifest: Manifest,
    /// The chapter's own files.
    reference: Files,
}

/// What stands in the place of an exercise.
#[derive(Clone, Copy)]
pub enum Fill<'a> {
    /// The hole, or the bug.
    Starter,
    /// The chapter's own code.
    Reference,
    /// A wrong solution.
    Mutant(&'a Mutant),
}

impl Chapter {
    /// Reads every chapter below `chapters` that has a manifest and `part` in its name, in order.
    pub fn read_all(chapters: &Path, part: &str) -> Result<Vec<Chapter>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(chapters).context("the chapters cannot be read")? {
            let folder = entry?.path();
            let is_asked_for =
                folder.file_name().is_some_and(|name| name.to_string_lossy().contains(part));
            if is_asked_for && folder.join("workshop/exercises.toml").exists() {
                found.push(Chapter::read(&folder)?);
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn read(folder: &Path) -> Result<Chapter> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.split('-').next().unwrap_or_default();
        let manifest = Manifest::read(&folder.join("workshop/exercises.toml"), number)?;
        let mut reference = Files::new();
        for part in ["Cargo.toml", "src", "tests", "examples"] {
            read_text_files(folder, Path::new(part), &mut reference)?;
        }
        reference.retain(|path, _| manifest.has(path));
        Ok(Chapter { name, manifest, reference })
    }

    /// The exercise crate's package name. Its library keeps the chapter's name.
    pub fn package(&self) -> String {
        format!("ex{}", self.name)
    }

    /// The files of the exercise crate, with `fill` deciding what stands in each exercise's place.
    pub fn render<'a>(&self, fill: impl Fn(&Exercise) -> Fill<'a>) -> Result<Files> {
        let fills: Vec<(&Exercise, Fill)> =
            self.manifest.exercises.iter().map(|exercise| (exercise, fill(exercise))).collect();
        let mut unused = self.holes();
        let mut files = Files::new();
        for (path, text) in &self.reference {
            let rendered = match path.to_str() {
                Some("Cargo.toml") => self.cargo_toml(text),
                Some(file) if file.ends_with(".rs") => render_file(file, text, &fills, &mut unused)
                    .with_context(|| format!("chapters/{}/{file}", self.name))?,
                _ => text.clone(),
            };
            files.insert(path.clone(), rendered);
        }
        if let Some((file, anchor)) = unused.first() {
            bail!("chapters/{}/{file} has no region `ANCHOR: {anchor}`", self.name);
        }
        Ok(files)
    }

    /// The crate that a learner begins with.
    pub fn starter(&self) -> Result<Files> {
        self.render(|_| Fill::Starter)
    }

    fn holes(&self) -> Vec<(String, String)> {
        let exercises = self.manifest.exercises.iter();
        let holes = exercises.flat_map(|exercise| &exercise.holes);
        holes.map(|hole| (hole.file.clone(), hole.anchor.clone())).collect()
    }

    fn cargo_toml(&self, text: &str) -> String {
        let lib = format!("\n[lib]\nname = \"ch{}\"\n", self.name.replace('-', "_"));
        let package = text.replacen(
            &format!("name = \"ch{}\"", self.name),
            &format!("name = \"{}\"", self.package()),
            1,
        );
        match package.split_once("\n[dependencies]") {
            Some((head, rest)) => format!("{head}{lib}\n[dependencies]{rest}"),
            None => package + &lib,
        }
    }
}

impl Manifest {
    /// Whether the exercise crate has this file of the chapter.
    fn has(&self, path: &Path) -> bool {
        let is_listed =
            |list: &[String], inside: &Path| list.iter().any(|name| inside.starts_with(name));
        if let Ok(test) = path.strip_prefix("tests") {
            // Both run the chapter's examples.
            let is_about_examples = ["demos.rs", "replays.rs"].map(Path::new).contains(&test);
            !is_about_examples && !is_listed(&self.leave_out, test)
        } else if let Ok(example) = path.strip_prefix("examples") {
            is_listed(&self.examples, example)
        } else {
            true
        }
    }
}

/// Reads a file, or all files of a folder, into `files`. What is not there is left out.
pub fn read_text_files(base: &Path, part: &Path, files: &mut Files) -> Result<()> {
    let path = base.join(part);
    if path.is_dir() {
        for entry in fs::read_dir(&path)? {
            read_text_files(base, &part.join(entry?.file_name()), files)?;
        }
    } else if path.exists() {
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        files.insert(part.into(), text);
    }
    Ok(())
}

/// Puts holes, bugs and mutants into one source file. Takes the anchors out, and the unit tests, which
/// may use what a learner has not written yet.
fn render_file(
    file: &str,
    reference: &str,
    fills: &[(&Exercise, Fill)],
    unused: &mut Vec<(String, String)>,
) -> Result<String> {
    let mut text = reference.to_string();
    for (exercise, fill) in fills {
        let edits = match fill {
            Fill::Starter => &exercise.bugs,
            Fill::Reference => continue,
            Fill::Mutant(mutant) => &mutant.edits,
        };
        for edit in edits.iter().filter(|edit| edit.file == file) {
            text = edit.apply(&text)?;
        }
    }

    let mut rendered = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            break;
        }
        let Some(anchor) = anchor(line, "ANCHOR: ") else {
            if self::anchor(line, "ANCHOR_END: ").is_none() {
                rendered += line;
                rendered.push('\n');
            }
            continue;
        };
        let hole = fills.iter().find_map(|(exercise, fill)| {
            let hole =
                exercise.holes.iter().find(|hole| hole.file == file && hole.anchor == anchor);
            Some((exercise, hole?, fill))
        });
        let Some((exercise, hole, fill)) = hole else { continue };
        unused.retain(|(unused_file, unused_anchor)| {
            (unused_file, unused_anchor) != (&hole.file, &hole.anchor)
        });

        let mut inside: Vec<&str> = Vec::new();
        loop {
            let line = lines.next().with_context(|| format!("`ANCHOR: {anchor}` does not end"))?;
            if self::anchor(line, "ANCHOR_END: ") == Some(anchor) {
                break;
            }
            if !line.contains("// ANCHOR") {
                inside.push(line);
            }
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let body = match fill {
            Fill::Starter => {
                format!("{indent}todo!({:?});\n", format!("{}: {}", exercise.id, hole.todo))
            }
            Fill::Mutant(Mutant { fill: Some(fill), .. }) => reindent(fill, indent),
            _ => inside.iter().map(|line| format!("{line}\n")).collect(),
        };
        rendered += &format!(
            "{indent}{} {}\n{body}{indent}{} {}\n",
            BEGIN,
            title(exercise),
            END,
            exercise.id
        );
    }
    Ok(rendered.trim_end().to_string() + "\n")
}

const BEGIN: &str = "// EXERCISE";
const END: &str = "// END";

fn title(exercise: &Exercise) -> String {
    format!("{}: {}", exercise.id, exercise.title)
}

fn anchor<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix("// ")?.strip_prefix(word).map(str::trim_end)
}

/// Moves a text to another indentation.
fn reindent(text: &str, indent: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').lines().collect();
    let depth = |line: &&str| line.len() - line.trim_start().len();
    let margin = lines.iter().filter(|line| !line.trim().is_empty()).map(depth).min().unwrap_or(0);
    lines
        .iter()
        .map(|line| match line.get(margin..) {
            Some(rest) if !rest.trim().is_empty() => format!("{indent}{rest}\n"),
            _ => "\n".to_string(),
        })
        .collect()
}

/// The parts of a learner's file that belong to an exercise, marks included, as ranges of bytes: one
/// for each hole.
///
/// # Errors
/// If the marks are not there, or not in pairs.
pub fn regions(text: &str, id: &str) -> Result<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        if words.starts_with(&format!("{BEGIN} {id}:")) {
            ensure!(start.is_none(), "`{BEGIN} {id}` comes before the end of another one");
            start = Some(place);
        }
        place += line.len();
        if words == format!("{END} {id}") {
            let start = start.take();
            found.push(start.with_context(|| format!("`{BEGIN} {id}` is missing"))?..place);
        }
    }
    ensure!(start.is_none(), "`{END} {id}` is missing");
    ensure!(!found.is_empty(), "the marks `{BEGIN} {id}` and `{END} {id}` are not there");
    Ok(found)
}

/// The workspace file of the exercises. They build on the chapters, or with `own`, on the learner's own
/// crates of earlier chapters.
pub fn workspace_toml(root_toml: &str, to_root: &str, chapters: &[Chapter], own: bool) -> String {
    let mut text = String::from("# Made by `cargo x gen`.\n\n");
    for line in root_toml.lines() {
        if line.starts_with("members") {
            let members = chapters.iter().map(|chapter| format!("\"{}\"", chapter.name));
            text += &format!("members = [{}]\n", members.collect::<Vec<_>>().join(", "));
        } else if line.starts_with("exclude") {
            // Said of the checkout's own workspace.
        } else if let Some((name, path)) = line.split_once(" = { path = \"") {
            let own_crate =
                chapters.iter().find(|chapter| own && name == format!("ch{}", chapter.name));
            text += &match own_crate {
                Some(chapter) => format!(
                    "{name} = {{ package = \"{}\", path = \"{}\" }}\n",
                    chapter.package(),
                    chapter.name
                ),
                None if path.starts_with('/') => format!("{line}\n"),
                None => format!("{name} = {{ path = \"{to_root}/{path}\n"),
            };
        } else {
            text += line;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exercise(id: &str, file: &str, anchor: &str) -> Exercise {
        toml::from_str(&format!(
            "id = {id:?}\ntitle = \"Title\"\ngoal = \"\"\nminutes = 5\ntests = []\nhint = []\nmutant = []\n\
             hole = [{{ file = {file:?}, anchor = {anchor:?}, todo = \"owed\" }}]"
        ))
        .unwrap()
    }

    const SOURCE: &str = "\
// ANCHOR: all
fn one() {
    // ANCHOR: body
    let a = 1;
    // ANCHOR: inner
    let b = 2;
    // ANCHOR_END: inner
    // ANCHOR_END: body
}
// ANCHOR_END: all

#[cfg(test)]
mod tests {}
";

    fn rendered(fill: Fill) -> String {
        let exercise = exercise("04.1", "src/a.rs", "body");
        let fills = [(&exercise, fill)];
        let mut unused = vec![("src/a.rs".to_string(), "body".to_string())];
        let text = render_file("src/a.rs", SOURCE, &fills, &mut unused).unwrap();
        assert!(unused.is_empty());
        text
    }

    #[test]
    fn a_starter_has_a_marked_hole_and_neither_anchors_nor_unit_tests() {
        assert_eq!(
            rendered(Fill::Starter),
            "fn one() {\n    // EXERCISE 04.1: Title\n    todo!(\"04.1: owed\");\n    // END 04.1\n}\n"
        );
    }

    #[test]
    fn the_reference_has_the_solution_between_the_marks() {
        assert_eq!(
            rendered(Fill::Reference),
            "fn one() {\n    // EXERCISE 04.1: Title\n    let a = 1;\n    let b = 2;\n    // END 04.1\n}\n"
        );
    }

    #[test]
    fn a_mutant_takes_the_indentation_of_its_place() {
        let mutant = Mutant {
            says: String::new(),
            fill: Some("\n  if x {\n    y();\n  }\n".into()),
            edits: Vec::new(),
            killed_by: Vec::new(),
        };
        assert_eq!(
            rendered(Fill::Mutant(&mutant)),
            "fn one() {\n    // EXERCISE 04.1: Title\n    if x {\n      y();\n    }\n    // END 04.1\n}\n"
        );
    }

    #[test]
    fn a_region_that_does_not_end_is_an_error() {
        let exercise = exercise("04.1", "src/a.rs", "body");
        let text = "// ANCHOR: body\nlet a = 1;\n";
        let error = render_file("src/a.rs", text, &[(&exercise, Fill::Starter)], &mut Vec::new());
        assert_eq!(error.unwrap_err().to_string(), "`ANCHOR: body` does not end");
    }

    #[test]
    fn a_region_of_a_learner_is_found_by_its_marks() {
        let text = rendered(Fill::Starter);
        let found = regions(&text, "04.1").unwrap();
        let [range] = found.as_slice() else { panic!("{found:?}") };
        assert!(text[range.clone()].starts_with("    // EXERCISE 04.1: Title\n"));
        assert!(text[range.clone()].ends_with("    // END 04.1\n"));
        assert_eq!(regions(&(text.clone() + &text), "04.1").unwrap().len(), 2);

        let without_end = text.replace("// END 04.1", "");
        let without_begin = text.replace("// EXERCISE", "//");
        let begun_twice = without_end.clone() + &text;
        for damaged in [without_end, without_begin, begun_twice] {
            assert!(regions(&damaged, "04.1").is_err(), "{damaged}");
        }
        assert!(regions(&text, "04.2").is_err());
    }

    #[test]
    fn the_workspace_builds_on_the_chapters_or_on_the_learners_own() {
        let chapter = Chapter {
            name: "04-waker".into(),
            manifest: Manifest { examples: vec![], leave_out: vec![], exercises: vec![] },
            reference: Files::new(),
        };
        let root = "[workspace]\nmembers = [\"chapters/*\"]\nexclude = [\"exercises\"]\n\n[workspace.dependencies]\n\
                    ch04-waker = { path = \"chapters/04-waker\" }\nnix = \"0.31\"\n";
        let chapters = [chapter];
        let theirs = workspace_toml(root, "..", &chapters, false);
        assert!(theirs.contains("members = [\"04-waker\"]\n"), "{theirs}");
        assert!(
            theirs.contains("ch04-waker = { path = \"../chapters/04-waker\" }\nnix = \"0.31\""),
            "{theirs}"
        );
        assert!(!theirs.contains("exclude"), "{theirs}");
        let own = workspace_toml(root, "..", &chapters, true);
        assert!(
            own.contains("ch04-waker = { package = \"ex04-waker\", path = \"04-waker\" }"),
            "{own}"
        );
    }
}
