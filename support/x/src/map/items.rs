//! What a crate offers. `rustfmt` has put every public item at the beginning of a line, and
//! `missing_docs` has seen to its docs, so lines are all that has to be looked at.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tree::Tree;

/// A public item.
pub struct Item {
    /// As its users write it behind the crate's name: `oneshot::channel`.
    pub name: String,
    /// What it is: `struct`, `trait`, `fn`, `mod`, `macro` …
    pub kind: &'static str,
    /// The first sentence of its docs.
    pub docs: String,
    /// Where it is defined.
    pub file: PathBuf,
}

/// The words that an item can begin with, behind `pub`, and what it is then.
const KINDS: [(&str, &str); 12] = [
    ("struct ", "struct"),
    ("enum ", "enum"),
    ("trait ", "trait"),
    ("unsafe trait ", "trait"),
    ("fn ", "fn"),
    ("const fn ", "fn"),
    ("async fn ", "fn"),
    ("unsafe fn ", "fn"),
    ("type ", "type"),
    ("const ", "const"),
    ("static ", "static"),
    ("mod ", "mod"),
];

/// All that the crate whose sources are in `src` offers, in the order in which it says so.
pub fn of_crate(tree: &Tree, src: &Path) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    of_module(tree, &src.join("lib.rs"), "", &mut items)?;
    for (path, text) in tree.files().filter(|(path, _)| path.starts_with(src)) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if *line == "#[macro_export]"
                && let Some(name) =
                    lines.get(at + 1).and_then(|it| it.strip_prefix("macro_rules! "))
            {
                let name = format!("{}!", word(name));
                items.push(Item {
                    docs: docs_above(&lines, at).with_context(|| undocumented(path, &name))?,
                    name,
                    kind: "macro",
                    file: path.to_path_buf(),
                });
            }
        }
    }
    Ok(items)
}

/// Appends what the module in `file` offers, under the name `prefix`.
fn of_module(tree: &Tree, file: &Path, prefix: &str, items: &mut Vec<Item>) -> Result<()> {
    let text = tree.get(file).with_context(|| format!("there is no {}", file.display()))?;
    for (kind, name) in text.lines().filter_map(definition) {
        if kind == "mod" {
            let inside = submodule(tree, file, name)
                .with_context(|| format!("{}: where is `{name}`?", file.display()))?;
            let docs = tree.get(&inside).and_then(module_docs);
            items.push(Item {
                name: format!("{prefix}{name}"),
                kind,
                docs: docs.with_context(|| undocumented(file, name))?,
                file: inside.clone(),
            });
            of_module(tree, &inside, &format!("{prefix}{name}::"), items)?;
        } else {
            items.push(item(tree, file, name, prefix)?);
        }
    }
    for (path, names) in re_exports(text) {
        // What comes from another crate is that crate's.
        if let Some(inside) = submodule(tree, file, &path) {
            for name in names {
                items.push(item(tree, &inside, &name, prefix)?);
            }
        }
    }
    Ok(())
}

/// The item `name` that is defined in `file`.
fn item(tree: &Tree, file: &Path, name: &str, prefix: &str) -> Result<Item> {
    let lines: Vec<&str> = tree.get(file).unwrap_or_default().lines().collect();
    let defines = |line: &&str| definition(line).is_some_and(|(_, it)| it == name);
    let at = lines
        .iter()
        .position(defines)
        .with_context(|| format!("{}: `{name}` is not defined here", file.display()))?;
    let kind = definition(lines[at]).map_or("", |(kind, _)| kind);
    let docs = docs_above(&lines, at).with_context(|| undocumented(file, name))?;
    Ok(Item { name: format!("{prefix}{name}"), kind, docs, file: file.to_path_buf() })
}

fn undocumented(file: &Path, name: &str) -> String {
    format!("{}: `{name}` has no docs", file.display())
}

/// What a line defines in public: what it is, and its name.
fn definition(line: &str) -> Option<(&'static str, &str)> {
    let rest = line.strip_prefix("pub ")?;
    KINDS.iter().find_map(|(words, kind)| Some((*kind, word(rest.strip_prefix(words)?))))
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The file of a module that is declared in `file`.
fn submodule(tree: &Tree, file: &Path, name: &str) -> Option<PathBuf> {
    let folder = file.parent()?;
    let folder = match file.file_stem()?.to_str()? {
        "lib" | "mod" => folder.to_path_buf(),
        stem => folder.join(stem),
    };
    [folder.join(name).with_extension("rs"), folder.join(name).join("mod.rs")]
        .into_iter()
        .find(|path| tree.get(path).is_some())
}

/// The `pub use module::{…};` of a file: the module, and the names.
fn re_exports(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("pub use ") {
        let begins_a_line = at == 0 || rest[..at].ends_with('\n');
        rest = &rest[at + "pub use ".len()..];
        if let Some((path, _)) = rest.split_once(';').filter(|_| begins_a_line)
            && let Some((module, names)) = path.split_once("::")
        {
            found.push((module.to_string(), names_in(names)));
        }
    }
    found
}

/// The names in what stands behind `use path::`: one, or several in braces.
pub fn names_in(text: &str) -> Vec<String> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(text);
    text.split(',').map(|it| word(it.trim()).to_string()).filter(|it| !it.is_empty()).collect()
}

/// The first sentence of the docs above the line `at`, past attributes and comments.
fn docs_above(lines: &[&str], at: usize) -> Option<String> {
    let above = lines[..at].iter().rev();
    let mut docs: Vec<&str> = above
        .take_while(|line| line.starts_with(['/', '#', ' ', ')']))
        .filter_map(|line| line.strip_prefix("///"))
        .collect();
    docs.reverse();
    first_sentence(docs.into_iter())
}

/// The first sentence of the docs of a module.
fn module_docs(text: &str) -> Option<String> {
    first_sentence(text.lines().map_while(|line| line.strip_prefix("//!")))
}

/// The first sentence, without the links of rustdoc.
fn first_sentence<'a>(docs: impl Iterator<Item = &'a str>) -> Option<String> {
    let first: Vec<&str> = docs.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let text = without_links(&first.join(" "));
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    (!text.is_empty()).then(|| text[..end].to_string())
}

/// `[words](target)` and `[words]` become words.
pub fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[')
        && let Some((words, after)) = link.split_once(']')
    {
        plain.push_str(before);
        plain.push_str(words);
        rest = after.strip_prefix('(').and_then(|it| it.split_once(')')).map_or(after, |it| it.1);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_macros_and_items_of_modules_are_offered_and_what_others_own_is_not() {
        let tree = Tree::of([
            (
                "src/lib.rs",
                "mod a;\npub mod b;\nmod c;\n\npub use a::{\n    One,\n    two,\n};\npub use trace::Direction;\n",
            ),
            (
                "src/a.rs",
                "/// One: [`two`](two) and\n/// more. And so on.\n// ANCHOR: one\n#[derive(\n    Debug\n)]\npub struct One;\n\n/// Two\npub async fn two() {}\n\n/// Hidden.\npub fn three() {}\n",
            ),
            ("src/b/mod.rs", "//! A module.\n\nmod inner;\n\npub use inner::Four;\n"),
            ("src/b/inner.rs", "/// Four.\npub unsafe trait Four {}\n"),
            ("src/c.rs", "/// Five.\n#[macro_export]\nmacro_rules! five {\n}\n"),
        ]);
        let items = of_crate(&tree, Path::new("src")).unwrap();
        let said: Vec<String> = items
            .iter()
            .map(|it| format!("{} {}: {} {}", it.kind, it.name, it.docs, it.file.display()))
            .collect();
        assert_eq!(
            said,
            [
                "mod b: A module. src/b/mod.rs",
                "trait b::Four: Four. src/b/inner.rs",
                "struct One: One: `two` and more. src/a.rs",
                "fn two: Two src/a.rs",
                "macro five!: Five. src/c.rs",
            ]
        );
    }
}
