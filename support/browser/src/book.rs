use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The book as mdBook has built it.
pub struct Book {
    folder: PathBuf,
    pages: Vec<String>,
}

impl Book {
    /// The book in `book/book`, or in the folder that the variable `BOOK` names.
    ///
    /// # Errors
    /// If there is no built book.
    pub fn open() -> Result<Self> {
        let folder = std::env::var_os("BOOK").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/book"),
            PathBuf::from,
        );
        let folder = folder
            .canonicalize()
            .with_context(|| format!("{}: call make book", folder.display()))?;
        let mut pages = Vec::new();
        collect(&folder, &folder, &mut pages)?;
        pages.sort();
        ensure!(
            pages.iter().any(|page| page == "index.html"),
            "{} holds no book: call make book",
            folder.display()
        );
        Ok(Self { folder, pages })
    }

    /// Where the book is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All pages but the one for printing, as paths below the folder. The list of chapters, which is a frame of
    /// each page for readers without scripts, is none.
    pub fn pages(&self) -> &[String] {
        &self.pages
    }

    /// The pages with a replay.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub fn pages_with_replays(&self) -> Result<Vec<&str>> {
        let mut found = Vec::new();
        for page in &self.pages {
            if self.read(page)?.contains("<rt-replay") {
                found.push(page.as_str());
            }
        }
        Ok(found)
    }

    /// How many bytes a page has, together with its traces, which are in it, and what replays them.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn weight(&self, page: &str) -> Result<u64> {
        let text = self.read(page)?;
        let mut bytes = text.len() as u64;
        if text.contains("<rt-replay") {
            for entry in fs::read_dir(self.folder.join("theme"))? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with("replay") {
                    bytes += entry.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }

    fn read(&self, page: &str) -> Result<String> {
        fs::read_to_string(self.folder.join(page)).with_context(|| page.to_owned())
    }
}

fn collect(root: &Path, folder: &Path, pages: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        // Traces are pieces of the pages that include them.
        if path.is_dir() && !path.ends_with("traces") {
            collect(root, &path, pages)?;
        } else if name.ends_with(".html")
            && path.is_file()
            && !["print.html", "toc.html"].contains(&name.as_str())
        {
            pages.push(name);
        }
    }
    Ok(())
}
