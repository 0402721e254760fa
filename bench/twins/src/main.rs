//! One operation, done N times, on a runtime of the chapters or on mini-runtime.
//!
//! `twins PAIR HOUSE N` does it and says what that took: `cpu_ns` is the processor time of the process, and
//! `allocations` are those of its main thread. Run it with two numbers: the difference is what so many
//! operations take, without the start and the end. `measure` does that, under several tools, and writes
//! the tables of the book's last part.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `house` | what a runtime is for these programs, and the two that are one |
//! | `tasks` | wakes, wakers, spawning and joining |
//! | `threads` | wakes from another thread |
//! | `time` | timeouts that never fire, and sleeps that are late |
//! | `echo` | an echo server, and its load |
//! | `count` | processor time, allocations |

mod count;
mod echo;
mod house;
mod tasks;
mod threads;
mod time;

use std::env;
use std::io;
use std::process::ExitCode;

use ch14_swap::{DriverKind as Below, TimerQueue};
use mini_runtime::DriverKind;

use crate::house::{Chapter, House, Mini};

const USAGE: &str = "usage: twins PAIR HOUSE N
  PAIR   yield alone waker rewake spawn abroad asleep timeout late
         echo1 echo64, and owned1 owned64 for mini and mini-ring
  HOUSE  chapter (epoll, map), chapter-wheel (epoll, wheel), chapter-ring (ring, wheel), mini, mini-ring";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("twins {}: {error}", arguments.join(" "));
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// `None` if there is no such program.
fn run(arguments: &[&str]) -> Option<io::Result<()>> {
    match *arguments {
        ["load", address, connections, messages] => {
            let (connections, messages) = (connections.parse().ok()?, messages.parse().ok()?);
            Some(echo::load(address, connections, messages))
        }
        [pair, house, n] => {
            let n = n.parse().ok()?;
            match house {
                "chapter" => pair_on(pair, &Chapter::new(Below::Epoll, TimerQueue::Map), n),
                "chapter-wheel" => pair_on(pair, &Chapter::new(Below::Epoll, TimerQueue::Wheel), n),
                "chapter-ring" => pair_on(pair, &Chapter::new(Below::Ring, TimerQueue::Wheel), n),
                "mini" => pair_on_mini(pair, &Mini::new(DriverKind::Epoll), n),
                "mini-ring" => pair_on_mini(pair, &Mini::new(DriverKind::IoUring), n),
                _ => None,
            }
        }
        _ => None,
    }
}

fn pair_on_mini(pair: &str, mini: &io::Result<Mini>, n: usize) -> Option<io::Result<()>> {
    match (pair, mini) {
        ("owned1", Ok(mini)) => Some(counted(|| echo::owned(mini, 1, n))),
        ("owned64", Ok(mini)) => Some(counted(|| echo::owned(mini, 64, n))),
        _ => pair_on(pair, mini, n),
    }
}

fn pair_on<H: House>(pair: &str, house: &io::Result<H>, n: usize) -> Option<io::Result<()>> {
    let house = match house {
        Ok(house) => house,
        Err(error) => return Some(Err(io::Error::new(error.kind(), error.to_string()))),
    };
    let body: fn(&H, usize) = match pair {
        "yield" => tasks::yields,
        "alone" => tasks::yields_alone,
        "waker" => tasks::clones_its_waker,
        "rewake" => tasks::wakes_again,
        "spawn" => tasks::spawns_and_joins,
        "abroad" => threads::wakes_from_abroad,
        "asleep" => threads::wakes_a_sleeper,
        "timeout" => time::sets_and_cancels,
        "late" => time::sleeps,
        "echo1" => return Some(counted(|| echo::polled(house, 1, n))),
        "echo64" => return Some(counted(|| echo::polled(house, 64, n))),
        _ => return None,
    };
    Some(counted(|| {
        body(house, n);
        Ok(())
    }))
}

/// Does it, and says what it took.
fn counted(body: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    body()?;
    println!("cpu_ns {}", count::cpu_time()?.as_nanos());
    println!("allocations {}", count::allocations());
    Ok(())
}
