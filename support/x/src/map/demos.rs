//! The index of the failing demos.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::chapter::Chapter;
use super::items::without_links;
use super::pages::row;
use super::{Files, HAND_OFF, book};
use crate::tree::{PAGES, Tree};

/// The faults of the small runtime that the course rebuilds, by which it teaches.
const FAULTS: [(&str, &str); 7] = [
    ("S1", "The thread goes to sleep while a task is queued."),
    ("S2", "A task cannot tell that its future has ended, and polls it again."),
    ("S3", "Arming one direction of a socket disarms the other."),
    ("S4", "A waker counts without atomic operations, and any thread may use it."),
    ("S5", "The waker of the main future does nothing."),
    ("S6", "A task that wakes itself keeps the thread from its sockets and its clock."),
    ("S7", "A stream that is dropped looks for its reactor in a thread-local, and finds none."),
];

/// A program that fails, and does not if it is asked to be `mended`.
struct Demo<'a> {
    chapter: &'a Chapter,
    name: String,
    /// What happens in it: the first paragraph of its docs.
    about: String,
    /// Which of the seven faults it shows.
    fault: Option<&'static str>,
    /// The link to the heading below which a page runs it.
    place: String,
}

pub fn page(tree: &Tree, chapters: &[Chapter]) -> Result<Files> {
    let mut demos = Vec::new();
    for chapter in chapters {
        let folder = Path::new("chapters").join(&chapter.name).join("examples");
        for (path, text) in tree.files().filter(|(path, _)| path.starts_with(&folder)) {
            if text.contains("demo::run(") {
                demos.push(demo(tree, chapter, path, text)?);
            }
        }
    }
    let mut page = format!(
        "{HAND_OFF}# Programs that fail\n\n\
         Each of these {} programs has a fault, and shows it to you: it hangs, spins, panics, or says what has come out wrong.\n\
         Predict first what it will do, and then run it. With `-- mended` behind the command it does what it should.\n\n\
         A program that hangs is ended after two seconds, with exit status 3, and says who waits for what. In each chapter a test\n\
         holds the demos to just that failure. A name leads to the place in the book that runs it.\n\n",
        demos.len()
    );
    faults(&mut page, &demos);
    for chapter in chapters {
        let mine: Vec<&Demo<'_>> =
            demos.iter().filter(|demo| demo.chapter.number == chapter.number).collect();
        if mine.is_empty() {
            continue;
        }
        let _ = write!(page, "## {}\n\n", chapter.heading());
        for Demo { name, about, fault, place, .. } in mine {
            let fault = fault.map(|it| format!(", fault {it}")).unwrap_or_default();
            let krate = &chapter.krate.replace('_', "-");
            let _ = write!(
                page,
                "- [`{name}`]({place}){fault}. {about}<br>\n  `cargo run -p {krate} --example {name}`\n"
            );
        }
        page.push('\n');
    }
    page.push_str("Next: [what people believe](misconceptions.md), and which of these programs says otherwise.\n");
    Ok(Files::from([(Path::new(PAGES).join("demos.md"), page)]))
}

/// The table of the seven faults.
fn faults(page: &mut String, demos: &[Demo<'_>]) {
    page.push_str(
        "## The seven faults\n\n\
         The small runtime that this course rebuilds has seven faults. We teach by them. Each has its number, and a program that\n\
         shows it:\n\n\
         | fault | what is wrong | program | chapter |\n| --- | --- | --- | --- |\n",
    );
    for (fault, what) in FAULTS {
        for demo in demos.iter().filter(|demo| demo.fault == Some(fault)) {
            let program = format!("[`{}`]({})", demo.name, demo.place);
            let chapter = format!("[{}]({})", demo.chapter.heading(), demo.chapter.page());
            row(page, &[fault, what, &program, &chapter]);
        }
    }
    page.push('\n');
}

fn demo<'a>(tree: &Tree, chapter: &'a Chapter, path: &Path, text: &str) -> Result<Demo<'a>> {
    let name = name(path).with_context(|| format!("{}: no name", path.display()))?;
    let krate = chapter.krate.replace('_', "-");
    let docs: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let docs = without_links(&docs.join(" "));
    let (fault, about) = without_fault(docs.split(" Predict:").next().unwrap_or(&docs));
    // Word by word, so that `echo` is not found in `echo_server`.
    let place = ["\n", " ", "`"].iter().find_map(|end| {
        book::place(tree, &chapter.pages(), &format!("-p {krate} --example {name}{end}"))
    });
    let place = place.with_context(|| format!("no page shows the demo `{name}` of {krate}"))?;
    Ok(Demo { chapter, name, about, fault, place })
}

/// `examples/NAME.rs` or `examples/NAME/main.rs`.
fn name(path: &Path) -> Option<String> {
    let path = match path.ends_with("main.rs") {
        true => path.parent()?.to_path_buf(),
        false => PathBuf::from(path),
    };
    Some(path.file_stem()?.to_str()?.to_string())
}

/// Takes `Fault S3: ` or `(Fault S3.)` out of a text.
fn without_fault(text: &str) -> (Option<&'static str>, String) {
    let named = |(fault, _): &(&'static str, &str)| {
        let at = text.find(&format!("Fault {fault}"))?;
        Some((*fault, at))
    };
    let Some((fault, at)) = FAULTS.iter().find_map(named) else { return (None, text.into()) };
    let before = text[..at].trim_end_matches(['(', ' ']);
    let after = text[at + "Fault S1".len()..].trim_start_matches(['.', ':', ')', ' ']);
    let space = if before.is_empty() || after.is_empty() { "" } else { " " };
    (Some(fault), format!("{before}{space}{}", upper(after)))
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_taken_out_of_the_words() {
        for (text, words) in [
            ("Fault S3: two tasks wait.", "Two tasks wait."),
            ("Fault S7. A stream leaves.", "A stream leaves."),
            ("A task that yields. (Fault S2.)", "A task that yields."),
        ] {
            let (fault, left) = without_fault(text);
            assert!(fault.is_some_and(|it| text.contains(it)), "{text}");
            assert_eq!(left, words);
        }
        assert_eq!(without_fault("No number."), (None, "No number.".into()));
    }
}
