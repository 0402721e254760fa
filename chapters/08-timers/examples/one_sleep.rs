//! Sleeps for two seconds. Watch with `strace` what that costs.
//!
//! `cargo build -p ch08-timers --example one_sleep`
//! `strace -e trace=timerfd_settime,epoll_pwait target/debug/examples/one_sleep`

use std::io;
use std::time::Duration;

use ch08_timers::{Runtime, sleep};

fn main() -> io::Result<()> {
    Runtime::new()?.block_on(async { sleep(Duration::from_secs(2)).await });
    Ok(())
}
