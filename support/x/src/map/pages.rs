//! The pages of the map: one of all chapters, and one for each.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::chapter::{Chapter, Drawn, Replaced};
use super::{FOLDER, Files, HAND_OFF, book, figure};
use crate::tree::{PAGES, Tree};

pub fn pages(tree: &Tree, chapters: &[Chapter]) -> Files {
    let mut files = Files::new();
    files.insert(in_map("index.md"), overview(chapters));
    files.insert(in_map("figures/staircase.svg"), figure::staircase(chapters));
    for (at, chapter) in chapters.iter().enumerate() {
        let next = chapters.get(at + 1);
        files.insert(in_map(&format!("{}.md", chapter.name)), page(tree, chapter, chapters, next));
        let figure = figure::chapter(chapter, chapters);
        files.insert(in_map(&format!("figures/{}.svg", chapter.name)), figure);
    }
    files
}

fn in_map(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// The page of all chapters.
fn overview(chapters: &[Chapter]) -> String {
    let mut page = format!(
        "{HAND_OFF}# The map\n\n\
         Each chapter is a crate, and stands on those before it. This is the whole staircase, made from the sources. A\n\
         chapter's own map says which types cross, what was replaced, and who builds on it.\n\n\
         <figure class=\"rt-figure\">\n{{{{#include figures/staircase.svg}}}}\n\
         <figcaption>Each step is a chapter. Go left from a step: a dot is a chapter whose items it uses. Go down from a step:\n\
         there are those who use it.</figcaption>\n</figure>\n\n"
    );
    page.push_str(
        "## What each chapter adds\n\n| map | public items | builds on |\n| --- | --- | --- |\n",
    );
    for chapter in chapters {
        let items = chapter.items.iter().filter(|it| !it.name.contains("::"));
        let items = list(items.map(|it| format!("`{}`", it.name)));
        let on = list(chapter.takes.keys().map(u32::to_string));
        let on = if on.is_empty() { "no chapter".into() } else { on };
        row(&mut page, &[&link(chapter, &chapter.heading()), &items, &on]);
    }
    page.push_str(
        "\n## The seams\n\n\
         A seam is a trait: what is above it does not know what is below. These are the traits of the staircase that a later\n\
         chapter has put something behind, and those from outside that it keeps to.\n\n\
         | seam | drawn by | what was put behind it |\n| --- | --- | --- |\n",
    );
    for (seam, drawn_by, fits) in seams(chapters) {
        let fits = list(fits.iter().map(|(chapter, by)| format!("`{by}` ({})", chapter.number)));
        row(&mut page, &[&format!("`{seam}`"), &drawer(drawn_by, chapters), &fits]);
    }
    page.push_str("\nThe number behind a type is that of its chapter.\n");
    if let Some(first) = chapters.first() {
        let _ = write!(page, "\nNext: {}, the map of the first step.\n", link(first, &first.title));
    }
    page
}

/// A seam, who has drawn it, and who fits into it.
type Seam<'a> = (&'a str, Drawn, Vec<(&'a Chapter, &'a str)>);

/// Every seam of the staircase, in the order in which something was first put behind it.
fn seams(chapters: &[Chapter]) -> Vec<Seam<'_>> {
    let mut seams: Vec<Seam<'_>> = Vec::new();
    for chapter in chapters {
        for fit in &chapter.fits {
            let known = |it: &&mut Seam<'_>| it.0 == fit.seam && it.1 == fit.drawn_by;
            match seams.iter_mut().find(known) {
                Some((.., fits)) => fits.push((chapter, &fit.by)),
                None => seams.push((&fit.seam, fit.drawn_by, vec![(chapter, &fit.by)])),
            }
        }
    }
    seams
}

/// The page of one chapter.
fn page(tree: &Tree, chapter: &Chapter, all: &[Chapter], next: Option<&Chapter>) -> String {
    let Chapter { name, title, number, .. } = chapter;
    let mut page = format!(
        "{HAND_OFF}# Map: {title}\n\n\
         What [chapter {number}](../{name}/index.md) adds to the staircase, what it stands on, and who stands on it. A file's\n\
         name leads to the page that shows a part of it.\n\n\
         <figure class=\"rt-figure\">\n{{{{#include figures/{name}.svg}}}}\n\
         <figcaption>In the middle, what <code>chapters/{name}</code> adds. On the left, what its library takes from others. On the\n\
         right, who takes something from it, and what.</figcaption>\n</figure>\n\n"
    );
    new(&mut page, tree, chapter);
    taken(&mut page, chapter, all);
    replaced(&mut page, chapter, all);
    fitted(&mut page, chapter, all);
    users(&mut page, chapter, all);
    let _ = match next {
        Some(next) => writeln!(
            page,
            "Next: [{}](../{}), or {}.",
            next.heading(),
            next.page(),
            link(next, "its map first")
        ),
        None => writeln!(page, "Next: back to [the whole staircase](index.md)."),
    };
    page
}

fn new(page: &mut String, tree: &Tree, chapter: &Chapter) {
    let src = Path::new("chapters").join(&chapter.name).join("src");
    page.push_str("## What is new\n\n| item | what it is | file |\n| --- | --- | --- |\n");
    for item in &chapter.items {
        let file = item.file.strip_prefix(&src).unwrap_or(&item.file);
        let file = format!("`{}`", file.display());
        let file = match book::shown_on(tree, &chapter.pages(), &item.file) {
            Some(shown) => format!("[{file}](../{})", from_pages(shown)),
            None => file,
        };
        let name = match item.kind {
            "mod" => format!("module `{}`", item.name),
            _ => format!("`{}`", item.name),
        };
        row(page, &[&name, &item.docs, &file]);
    }
    page.push('\n');
}

fn taken(page: &mut String, chapter: &Chapter, all: &[Chapter]) {
    page.push_str("## What it stands on\n\n");
    if chapter.takes.is_empty() {
        page.push_str("Its library takes nothing from other chapters. ");
    } else {
        page.push_str("| from | it takes |\n| --- | --- |\n");
        for (number, names) in &chapter.takes {
            if let Some(from) = all.iter().find(|it| it.number == *number) {
                let names = list(names.iter().map(|name| format!("`{name}`")));
                row(page, &[&link(from, &from.heading()), &names]);
            }
        }
        page.push('\n');
    }
    let outside: Vec<String> = chapter.outside.iter().map(|it| format!("`{it}`")).collect();
    let _ = match outside.as_slice() {
        [] => writeln!(page, "From outside it takes `std` alone.\n"),
        [before @ .., last] if !before.is_empty() => {
            writeln!(page, "From outside it takes {} and {last}.\n", before.join(", "))
        }
        some => writeln!(page, "From outside it takes {}.\n", some.join(", ")),
    };
}

fn replaced(page: &mut String, chapter: &Chapter, all: &[Chapter]) {
    page.push_str("## What it replaces\n\n");
    if chapter.replaces.is_empty() {
        page.push_str(match chapter.number {
            1 => "Nothing. This is the ground.\n\n",
            _ => "Nothing. All that was built before stays as it is.\n\n",
        });
        return;
    }
    page.push_str("| before | now | why |\n| --- | --- | --- |\n");
    for replaced in &chapter.replaces {
        let Replaced { new, why, .. } = replaced;
        if let Some((whose, old)) = replaced.whose(all) {
            let words = format!("chapter {}", whose.number);
            let old = format!("`{old}` ({})", link(whose, &words));
            row(page, &[&old, &format!("`{new}`"), why]);
        }
    }
    page.push('\n');
}

fn fitted(page: &mut String, chapter: &Chapter, all: &[Chapter]) {
    if chapter.fits.is_empty() {
        return;
    }
    page.push_str("## The seams that it fits into\n\n| seam | drawn by | put behind it |\n| --- | --- | --- |\n");
    let one = std::slice::from_ref(chapter);
    for (seam, drawn_by, fits) in seams(one) {
        let fits = list(fits.iter().map(|(_, by)| format!("`{by}`")));
        row(page, &[&format!("`{seam}`"), &drawer(drawn_by, all), &fits]);
    }
    page.push('\n');
}

fn users(page: &mut String, chapter: &Chapter, all: &[Chapter]) {
    let users: BTreeMap<u32, (&Chapter, String)> = all
        .iter()
        .filter_map(|later| {
            let names = later.takes.get(&chapter.number)?;
            let names = list(names.iter().map(|name| format!("`{name}`")));
            Some((later.number, (later, names)))
        })
        .collect();
    page.push_str("## Who builds on it\n\n");
    if users.is_empty() {
        page.push_str(
            "No library of a later chapter. What it teaches goes on, and not its code.\n\n",
        );
        return;
    }
    page.push_str("| chapter | what it takes |\n| --- | --- |\n");
    for (user, names) in users.values() {
        row(page, &[&link(user, &user.heading()), names]);
    }
    page.push('\n');
}

/// A link from one page of the map to that of a chapter.
fn link(chapter: &Chapter, words: &str) -> String {
    format!("[{words}]({}.md)", chapter.name)
}

fn drawer(drawn_by: Drawn, chapters: &[Chapter]) -> String {
    match drawn_by {
        Drawn::Outside(whose) => whose.into(),
        Drawn::Chapter(number) => {
            let chapter = chapters.iter().find(|it| it.number == number);
            chapter.map_or(String::new(), |it| link(it, &format!("chapter {number}")))
        }
    }
}

fn from_pages(page: &Path) -> String {
    page.strip_prefix(PAGES).unwrap_or(page).display().to_string()
}

fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// A line of a table.
pub fn row(page: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(page, "| {} ", cell.replace('|', "\\|"));
    }
    page.push_str("|\n");
}
