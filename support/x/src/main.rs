//! `cargo x`: the project's own tool.

mod check_book;
mod map;
mod spell;
mod tree;
mod workshop;

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};

use tree::Tree;
use workshop::{Session, Workshop};

/// The workshop, and what keeps the project in order.
#[derive(Parser)]
#[command(name = "cargo x", bin_name = "cargo x", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Looks at this machine, and begins with the first open exercise.
    Start,
    /// Checks an exercise whenever you save a file, and goes on to the next when it is solved.
    Watch {
        /// The exercise to begin with: `04.1`. Without it, the first that is open.
        id: Option<String>,
    },
    /// Checks an exercise once.
    Check {
        /// The exercise: `04.1`. Without it, the first that is open.
        id: Option<String>,
    },
    /// Records a test of an exercise, and opens the run in a browser, step by step.
    ///
    /// The test is the first one that fails or hangs, or the first of all if none does. The page is one
    /// file below target/x/replay, which needs nothing else and works without a network.
    Replay {
        /// The exercise: `04.1`. Without it, the first that is open.
        id: Option<String>,
        /// The test to record, as `check` names it: `tasks::a_task_is_polled`.
        #[arg(long)]
        test: Option<String>,
        /// Writes the run as Chrome trace events, too, which <https://ui.perfetto.dev> opens.
        #[arg(long, value_name = "FILE")]
        chrome: Option<PathBuf>,
    },
    /// Gives the next hint.
    Hint {
        /// The exercise: `04.1`. Without it, the first that is open.
        id: Option<String>,
    },
    /// Lists the exercises, with what is done and what is left.
    List,
    /// Puts the starter of an exercise back. What you had written is kept aside.
    Reset {
        /// The exercise: `04.1`.
        id: String,
    },
    /// Shows your solution beside the chapter's.
    Diff {
        /// The exercise: `04.1`.
        id: String,
    },
    /// Has later exercises build on your own earlier ones, or on the chapters.
    Own {
        /// Whose crates to build on.
        switch: Switch,
    },
    /// Says what this machine has, and what it lacks.
    Doctor,
    /// Checks the sources of the book: what mdBook would let pass.
    #[command(hide = true)]
    CheckBook,
    /// Checks the spelling of the book.
    #[command(hide = true)]
    Spell,
    /// Makes the map of the chapters and the index of the demos out of the sources.
    #[command(hide = true)]
    Map {
        /// Writes nothing, and fails if a page is not what it would be made to be.
        #[arg(long)]
        check: bool,
    },
    /// Makes the starters in `exercises` out of the chapters.
    #[command(hide = true)]
    Gen {
        /// Writes nothing, and fails if a starter is not what it would be made to be.
        #[arg(long)]
        check: bool,
    },
    /// Says which tests each exercise of a chapter turns green, to be listed in its manifest.
    #[command(hide = true)]
    Plan {
        /// A part of the chapter's name.
        chapter: String,
    },
    /// Makes pages as `replay` does, of runs of each exercise that fail, pass and hang.
    #[command(hide = true)]
    Pages {
        /// The exercises: `04.1`.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Holds all exercises to what they promise.
    #[command(hide = true)]
    Verify {
        /// A part of a chapter's name: only its exercises.
        chapter: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

fn main() -> ExitCode {
    let ended = ctrlc::set_handler(|| {
        workshop::clean_up();
        process::exit(130);
    });
    match ended.map_err(anyhow::Error::from).and_then(|()| run(Arguments::parse().verb)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Carries out a verb. `false` says that something was found wanting, and has been told.
fn run(verb: Verb) -> Result<bool> {
    // Cargo says where this package is now. It may have been built elsewhere.
    let package = env::var_os("CARGO_MANIFEST_DIR").context("start this with `cargo x`")?;
    let root = Path::new(&package).join("../..").canonicalize().context("there is no checkout")?;
    let session = || Session::open(&root);
    match verb {
        Verb::Start => {
            let able = workshop::doctor();
            let mut session = session()?;
            session.list();
            match io::stdin().is_terminal() && io::stdout().is_terminal() {
                true if able => workshop::watch(&mut session, None)?,
                _ => session.say_what_is_next(),
            }
            Ok(able)
        }
        Verb::Watch { id } => done(workshop::watch(&mut session()?, id.as_deref())),
        Verb::Check { id } => {
            let mut session = session()?;
            let (chapter, exercise) = session.chosen(id.as_deref())?;
            session.introduce(&chapter, &exercise);
            session.check(&chapter, &exercise)
        }
        Verb::Replay { id, test, chrome } => {
            let session = session()?;
            let (chapter, exercise) = session.chosen(id.as_deref())?;
            workshop::replay(&session, &chapter, &exercise, test.as_deref(), chrome.as_deref())
        }
        Verb::Hint { id } => {
            let mut session = session()?;
            let (_, exercise) = session.chosen(id.as_deref())?;
            done(session.hint(&exercise))
        }
        Verb::List => {
            session()?.list();
            Ok(true)
        }
        Verb::Reset { id } => {
            let mut session = session()?;
            let (chapter, exercise) = session.find(&id)?;
            done(session.reset(&chapter, &exercise))
        }
        Verb::Diff { id } => {
            let session = session()?;
            let (chapter, exercise) = session.find(&id)?;
            done(session.diff(&chapter, &exercise))
        }
        Verb::Own { switch } => done(session()?.own(switch == Switch::On)),
        Verb::Doctor => Ok(workshop::doctor()),
        Verb::CheckBook => Ok(check_book(&Tree::read(&root)?)),
        Verb::Spell => spell(&Tree::read(&root)?),
        Verb::Map { check: false } => done(map::write(&root)),
        Verb::Map { check: true } => check_map(&Tree::read(&root)?),
        Verb::Gen { check } => done(Workshop::read(&root)?.generate(check)),
        Verb::Plan { chapter } => done(Workshop::read_some(&root, &chapter)?.plan()),
        Verb::Pages { ids } => {
            let session = session()?;
            let found: Result<Vec<_>> = ids.iter().map(|id| session.find(id)).collect();
            done(workshop::pages(&session.workshop, &found?))
        }
        Verb::Verify { chapter } => {
            done(Workshop::read_some(&root, chapter.as_deref().unwrap_or_default())?.verify())
        }
    }
}

fn done(result: Result<()>) -> Result<bool> {
    result.map(|()| true)
}

fn check_book(tree: &Tree) -> bool {
    let problems = check_book::problems(tree);
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => {}
        1 => eprintln!("The book has a problem."),
        count => eprintln!("The book has {count} problems."),
    }
    problems.is_empty()
}

fn spell(tree: &Tree) -> Result<bool> {
    let unknown = spell::unknown(tree)?;
    for sentence in &unknown {
        eprintln!("{sentence}");
    }
    Ok(unknown.is_empty())
}

fn check_map(tree: &Tree) -> Result<bool> {
    let stale = map::stale(tree)?;
    for sentence in &stale {
        eprintln!("{sentence}");
    }
    if !stale.is_empty() {
        eprintln!("Run `cargo x map`, and commit what it writes.");
    }
    Ok(stale.is_empty())
}
