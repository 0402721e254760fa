//! The second way: a thread for each client.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use crate::Stats;
use crate::blocking::{accept, echo};

/// Serves each client on a thread of its own.
///
/// A client for whom there is no room for one more thread is closed, and counts as failed.
///
/// # Errors
/// See [`Serve`](crate::Serve).
pub fn serve(listener: TcpListener, connections: usize) -> io::Result<Stats> {
    let failed = &AtomicUsize::new(0);
    let count_failure = move || failed.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..connections {
            let stream = accept(&listener)?;
            // EXERCISE 01.2: A thread for each client
            todo!("01.2: serve this client on a thread of its own, and count a failure");
            // END 01.2
        }
        Ok::<(), io::Error>(())
    })?;
    Ok(Stats { served: connections, failed: failed.load(Ordering::Relaxed), ..Stats::default() })
}
