//! What a learner has written, and how it is put beside what is ours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::crates::{Chapter, Files, Fill, read_text_files, regions};
use super::manifest::Exercise;
use super::state::replace;

/// The learner's copy of an exercise crate.
pub struct Learner {
    pub folder: PathBuf,
}

impl Learner {
    pub fn new(exercises: &Path, chapter: &Chapter) -> Learner {
        Learner { folder: exercises.join(&chapter.name) }
    }

    /// The crate to be tested: the learner's `src`, and all the rest as it is meant to be.
    pub fn under_test(&self, chapter: &Chapter) -> Result<Files> {
        let mut files = chapter.starter()?;
        files.retain(|path, _| !path.starts_with("src"));
        let ours = files.len();
        read_text_files(&self.folder, Path::new("src"), &mut files)?;
        if files.len() == ours {
            bail!(
                "{} is gone. `git checkout -- exercises` brings the starters back",
                self.folder.display()
            );
        }
        Ok(files)
    }

    /// Puts the starter of an exercise back. What stood there is kept in `backups`, whose path comes
    /// back for each file. Other exercises in the same files stay as they are.
    pub fn reset(
        &self,
        chapter: &Chapter,
        exercise: &Exercise,
        is_solved: impl Fn(&Exercise) -> bool,
        backups: &Path,
    ) -> Result<Vec<PathBuf>> {
        // No mark shows where another exercise's bug was mended, so the mended code is ours.
        let starter = chapter.render(|other| {
            match other.id != exercise.id && !other.bugs.is_empty() && is_solved(other) {
                true => Fill::Reference,
                false => Fill::Starter,
            }
        })?;
        let folder = fresh_folder(backups, &exercise.id)?;
        let mut kept = Vec::new();
        for file in exercise.files() {
            let path = self.folder.join(file);
            let wanted =
                starter.get(Path::new(file)).context("an exercise's file is in its crate")?;
            let text = match fs::read_to_string(&path) {
                Ok(present) => {
                    let backup = folder.join(file);
                    fs::create_dir_all(backup.parent().unwrap_or(&folder))
                        .and_then(|()| fs::write(&backup, &present))
                        .with_context(|| {
                            format!("no backup can be written to {}", backup.display())
                        })?;
                    kept.push(backup);
                    self.restored(chapter, exercise, &present, wanted)
                }
                Err(_) => wanted.clone(),
            };
            replace(&path, &text)?;
        }
        Ok(kept)
    }

    /// The learner's text with this exercise as in the starter. If its marks are there, the rest stays
    /// as it is; if not, the file is the starter's, with what the other exercises have between theirs.
    fn restored(
        &self,
        chapter: &Chapter,
        exercise: &Exercise,
        present: &str,
        starter: &str,
    ) -> String {
        let with_regions_of = |text: &str, from: &str, id: &str| {
            let (places, parts) = (regions(text, id).ok()?, regions(from, id).ok()?);
            let mut text = text.to_string();
            if places.len() != parts.len() {
                return None;
            }
            // From the last to the first, so that the places before stay where they are.
            for (place, part) in places.into_iter().zip(parts).rev() {
                text.replace_range(place, &from[part]);
            }
            Some(text)
        };
        if exercise.bugs.is_empty()
            && let Some(text) = with_regions_of(present, starter, &exercise.id)
        {
            return text;
        }
        let others = chapter.manifest.exercises.iter().filter(|other| other.id != exercise.id);
        others.fold(starter.to_string(), |text, other| {
            with_regions_of(&text, present, &other.id).unwrap_or(text)
        })
    }

    /// The learner's solution beside the reference, for each file of the exercise: its name, the one,
    /// and the other.
    pub fn beside_reference(
        &self,
        chapter: &Chapter,
        exercise: &Exercise,
    ) -> Result<Vec<(String, String, String)>> {
        let reference = chapter.render(|_| Fill::Reference)?;
        let mut pairs = Vec::new();
        for file in exercise.files() {
            let path = self.folder.join(file);
            let mine = fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let theirs = &reference[Path::new(file)];
            let part = |text: &str| -> Result<String> {
                let parts = regions(text, &exercise.id)?;
                Ok(parts.into_iter().map(|part| text[part].to_string()).collect())
            };
            let pair = match (part(&mine), part(theirs)) {
                (Ok(mine), Ok(theirs)) => (mine, theirs),
                _ => (mine, theirs.clone()),
            };
            pairs.push((file.to_string(), pair.0, pair.1));
        }
        Ok(pairs)
    }
}

fn fresh_folder(backups: &Path, id: &str) -> Result<PathBuf> {
    for number in 1.. {
        let folder = backups.join(format!("{id}-{number}"));
        if !folder.exists() {
            return Ok(folder);
        }
    }
    bail!("there are too many backups in {}", backups.display())
}
