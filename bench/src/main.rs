//! mini-runtime beside its peers, and beside bare epoll and bare io_uring, in one run.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `rows` | what is done, and what is measured of it |
//! | `runtimes` | each runtime, behind one trait, and the two bare loops |
//! | `micro` | the rows that need one process alone |
//! | `load` | the client of the echo rows |
//! | `worker` | a process for each measurement |
//! | `rounds` | all runtimes in turns, several times over |
//! | `stats`, `report`, `plot`, `output` | medians, and how they are shown |
//! | `counts` | instructions and system calls for each operation |
//! | `builds` | how long a clean build takes, and of how many crates |

mod builds;
mod counts;
mod cpu;
mod load;
mod machine;
mod micro;
mod output;
mod plot;
mod report;
mod rounds;
mod rows;
mod runtimes;
mod stats;
mod worker;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::output::output;
use crate::rounds::Plan;
use crate::rows::Row;
use crate::runtimes::Peer;

/// Measures mini-runtime beside its peers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    what: What,
    /// About a minute for all, and no file is written.
    #[arg(long)]
    quick: bool,
    /// How often each is measured.
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    /// Counts instructions and system calls instead of time.
    Counts {
        #[command(flatten)]
        what: What,
        /// Keeps valgrind's files in this folder, for callgrind_annotate.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Measures clean release builds of mini-runtime and of tokio.
    Builds,
    /// What each measurement runs, in a process of its own.
    #[command(hide = true)]
    Worker {
        #[arg(value_parser = peer)]
        peer: Peer,
        #[arg(value_parser = row)]
        row: Row,
        operations: u64,
    },
}

#[derive(Args)]
struct What {
    /// Measures this row. Can be given several times. All rows, if not given.
    #[arg(long = "row", value_name = "NAME", value_parser = row)]
    rows: Vec<Row>,
    /// Measures this runtime. Can be given several times. All runtimes, if not given.
    #[arg(long = "runtime", value_name = "NAME", value_parser = peer)]
    peers: Vec<Peer>,
}

impl What {
    fn rows(&self) -> Vec<Row> {
        if self.rows.is_empty() { Row::ALL.to_vec() } else { self.rows.clone() }
    }

    fn peers(&self) -> Vec<Peer> {
        if self.peers.is_empty() { Peer::ALL.to_vec() } else { self.peers.clone() }
    }

    fn is_all(&self) -> bool {
        self.rows.is_empty() && self.peers.is_empty()
    }
}

fn row(name: &str) -> Result<Row, String> {
    Row::named(name).ok_or_else(|| {
        let names: Vec<_> = Row::ALL.into_iter().map(Row::name).collect();
        format!("there are these rows: {}", names.join(", "))
    })
}

fn peer(name: &str) -> Result<Peer, String> {
    Peer::named(name).ok_or_else(|| {
        let names: Vec<_> = Peer::ALL.into_iter().map(Peer::name).collect();
        format!("there are these runtimes: {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // `bench | head -1`: there is nobody to be told anything.
        Err(error) if output::is_unread(&error) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> io::Result<()> {
    match cli.command {
        Some(Command::Worker { peer, row, operations }) => worker::work(peer, row, operations),
        Some(Command::Counts { what, keep }) => {
            counts::run(&what.rows(), &what.peers(), what.is_all(), keep.as_deref())
        }
        Some(Command::Builds) => builds::run(),
        None => {
            let plan = Plan::new(cli.what.rows(), cli.what.peers(), cli.quick, cli.rounds);
            let table = rounds::run(&plan)?;
            let is_kept = cli.what.is_all() && !cli.quick;
            // Neither may cost the other: nobody need read the table to its end, and a file may not be writable.
            let written = if is_kept { report::write(&table) } else { Ok(()) };
            let mut out = output();
            report::print(&mut out, &table)?;
            written?;
            if is_kept {
                writeln!(out, "Written to bench/results: {}", report::FILES.join(", "))?;
            }
            Ok(())
        }
    }
}
