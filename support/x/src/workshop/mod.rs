//! The workshop: exercises made out of the chapters, and the runner that checks them.

mod crates;
mod doctor;
mod learner;
mod manifest;
mod replay;
mod run;
mod scratch;
mod session;
mod show;
mod state;
mod verify;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, ensure};

pub use doctor::doctor;
pub use replay::{pages, replay};
pub use session::Session;
pub use watch::watch;

use crates::{Chapter, Files, workspace_toml};
use scratch::{Scratch, files_below};
use show::say;
use verify::{Count, Verifier};

/// What to do before the process ends at a signal: no child is left behind, and the terminal is as it
/// was.
pub fn clean_up() {
    run::kill_children();
    watch::restore_terminal();
}

/// Where everything is.
pub struct Workshop {
    root: PathBuf,
    chapters: Vec<Chapter>,
}

impl Workshop {
    /// Reads the chapters' manifests.
    pub fn read(root: &Path) -> Result<Workshop> {
        Workshop::read_some(root, "")
    }

    /// Reads the manifests of those chapters that have `part` in their names.
    ///
    /// # Errors
    /// If there is none, besides what is wrong with a manifest.
    pub fn read_some(root: &Path, part: &str) -> Result<Workshop> {
        let chapters = Chapter::read_all(&root.join("chapters"), part)?;
        ensure!(
            part.is_empty() || !chapters.is_empty(),
            "there is no chapter with exercises and {part} in its name"
        );
        Ok(Workshop { root: root.into(), chapters })
    }

    /// The versions that everything is built with.
    fn lock(&self) -> Result<String> {
        let lock = self.root.join("Cargo.lock");
        fs::read_to_string(&lock).with_context(|| format!("{} cannot be read", lock.display()))
    }

    /// The files that `exercises` is made of, as a learner gets them.
    fn starters(&self) -> Result<Files> {
        let mut files = self.workspace("..", false)?;
        for chapter in &self.chapters {
            for (path, text) in chapter.starter()? {
                files.insert(Path::new(&chapter.name).join(path), text);
            }
        }
        Ok(files)
    }

    /// The workspace's own files, for a workspace from which `to_root` leads to the checkout.
    fn workspace(&self, to_root: &str, own: bool) -> Result<Files> {
        let root_toml = self.root.join("Cargo.toml");
        let text = fs::read_to_string(&root_toml)
            .with_context(|| format!("{} cannot be read", root_toml.display()))?;
        let toml = workspace_toml(&text, to_root, &self.chapters, own);
        Ok(Files::from([("Cargo.toml".into(), toml)]))
    }

    /// Writes the starters into `exercises`, or with `check` only says where they differ.
    pub fn generate(&self, check: bool) -> Result<()> {
        let exercises = self.root.join("exercises");
        let mut wanted = self.starters()?;
        if self.is_own()? {
            wanted.extend(self.workspace("..", true)?);
        }
        let mut differ: Vec<PathBuf> = Vec::new();
        for (path, text) in &wanted {
            let path = exercises.join(path);
            if fs::read_to_string(&path).is_ok_and(|present| present == *text) {
                continue;
            }
            differ.push(path.clone());
            if !check {
                fs::create_dir_all(path.parent().unwrap_or(&exercises))?;
                fs::write(&path, text)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
        for chapter in &self.chapters {
            for inside in files_below(&exercises.join(&chapter.name))? {
                let name = Path::new(&chapter.name).join(inside);
                let path = exercises.join(&name);
                if !wanted.contains_key(&name) {
                    differ.push(path.clone());
                    if !check {
                        fs::remove_file(&path)
                            .with_context(|| format!("{} cannot be removed", path.display()))?;
                    }
                }
            }
        }
        let names = differ
            .iter()
            .map(|path| format!("\n  {}", path.strip_prefix(&self.root).unwrap_or(path).display()));
        let names: String = names.collect();
        ensure!(
            !check || differ.is_empty(),
            "these starters are not what the chapters make of them:{names}\n\
             Run `cargo x gen` if you have changed a chapter. If you have solved exercises here, \
             this is as it should be."
        );
        say!("{} files, {} of them changed.", wanted.len(), differ.len());
        Ok(())
    }

    /// Verifies the exercises of the chapters.
    pub fn verify(&self) -> Result<()> {
        // Building one crate keeps one core busy, so there is a worker for each.
        let queue = Mutex::new(self.chapters.iter());
        let results: Vec<Result<Count>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from))
                .map(|number| {
                    scope.spawn({
                        let queue = &queue;
                        move || self.verify_some(queue, number)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a worker does not panic"))
                .collect()
        });

        let mut total = Count::default();
        for result in results {
            let count = result?;
            total.exercises += count.exercises;
            total.tests += count.tests;
            total.mutants += count.mutants;
            total.skipped += count.skipped;
        }
        if total.skipped > 0 {
            say!(
                "SKIPPED: {} tests cannot be run on this machine; `cargo test` says why. What they hold was not verified.",
                total.skipped
            );
        }
        say!(
            "{} exercises hold: just the listed ones of {} tests fail, and all of {} planted bugs are killed.",
            total.exercises,
            total.tests,
            total.mutants
        );
        Ok(())
    }

    /// Says which tests each exercise turns green.
    pub fn plan(&self) -> Result<()> {
        for chapter in &self.chapters {
            let (folder, workspace) = self.alone(chapter, &chapter.name)?;
            let target = folder.join("target");
            let scratch = Scratch::new(folder.join("exercises"));
            let _lock = scratch.lock()?;
            verifier(scratch, &target).plan(chapter, &workspace)?;
        }
        Ok(())
    }

    /// A folder for a workspace of one chapter, and the workspace's own files.
    fn alone(&self, chapter: &Chapter, name: &str) -> Result<(PathBuf, Files)> {
        let alone = Workshop { root: self.root.clone(), chapters: vec![chapter.clone()] };
        let mut workspace = alone.workspace("../../../..", false)?;
        workspace.insert("Cargo.lock".into(), self.lock()?);
        Ok((self.root.join("target/x").join(name), workspace))
    }

    fn verify_some<'a>(
        &'a self,
        queue: &Mutex<impl Iterator<Item = &'a Chapter>>,
        number: usize,
    ) -> Result<Count> {
        let mut total = Count::default();
        loop {
            let next = queue.lock().expect("no worker panics").next();
            let Some(chapter) = next else { return Ok(total) };
            // A workspace of this chapter alone: the others are being built elsewhere.
            let (folder, workspace) = self.alone(chapter, &format!("verify-{number}"))?;
            let target = folder.join("target");
            let scratch = Scratch::new(folder.join("exercises"));
            let _lock = scratch.lock()?;
            let verifier = verifier(scratch, &target);
            let count = verifier.verify(chapter, workspace, &|step| say!("{step}"))?;
            total.exercises += count.exercises;
            total.tests += count.tests;
            total.mutants += count.mutants;
            total.skipped += count.skipped;
        }
    }
}

fn verifier(scratch: Scratch, target: &Path) -> Verifier<'_> {
    Verifier { scratch, target, patience: verify::PATIENCE, impatience: verify::IMPATIENCE }
}
