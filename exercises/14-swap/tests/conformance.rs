//! The runtime of this chapter, held to what every stage owes its tasks and its streams: on epoll and on
//! a ring, with a map and with a wheel.

mod common;

use ch08_timers::Clock;
use ch14_swap::{DriverKind, Runtime, TimerQueue};
use common::driver;
use conformance::{executor_suite, net_suite, tcp_stage};

/// A runtime of these parts. Where there is no ring, that is said, and epoll has to do.
fn runtime(kind: DriverKind, timers: TimerQueue) -> std::io::Result<Runtime> {
    let is_missing = kind == DriverKind::Ring && driver(8).is_none();
    let kind = if is_missing { DriverKind::Epoll } else { kind };
    Ok(common::runtime(kind, timers, Clock::real()))
}

macro_rules! stage {
    ($module:ident: $driver:ident, $timers:ident) => {
        mod $module {
            use super::*;

            tcp_stage!(
                Swapped(Runtime),
                new: runtime(DriverKind::$driver, TimerQueue::$timers),
                spawn: ch09_fairness::spawn,
                net: ch14_swap
            );
            executor_suite!(Swapped);
            net_suite!(Swapped);
        }
    };
}

stage!(epoll_map: Epoll, Map);
stage!(epoll_wheel: Epoll, Wheel);
stage!(ring_map: Ring, Map);
stage!(ring_wheel: Ring, Wheel);
