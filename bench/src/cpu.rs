//! On which CPU a thread runs, and how much of one a process has used.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps this thread, and those that it starts, on one CPU. With fewer CPUs than that, it stays where it is.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    let _ = sched_setaffinity(None, &set);
}

/// How many CPUs there are, also those that this thread was kept from.
pub fn count() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|line| line.starts_with("processor")).count().max(1)
}

/// The CPU time of a process, user and system, of all of its threads, up to now.
///
/// # Errors
/// If there is no such process.
pub fn time_of(process: u32) -> io::Result<Duration> {
    let mut clock = 0;
    let process = i32::try_from(process).map_err(io::Error::other)?;
    // SAFETY: the pointer is to a place for the answer.
    let error = unsafe { libc::clock_getcpuclockid(process, &mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a place for the answer.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_computes_uses_its_cpu() {
        let before = time_of(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while time_of(std::process::id()).unwrap() - before < Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(time_of(u32::MAX).is_err(), "there is no such process");
    }
}
