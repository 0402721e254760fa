//! The runtime of this chapter, held to what every stage owes its tasks and its streams: on epoll and on
//! a ring, with a map and with a wheel.

use ch14_swap::{Config, DriverKind, Runtime, TimerQueue};
use conformance::{executor_suite, net_suite, tcp_stage};

fn runtime(driver: DriverKind, timers: TimerQueue) -> std::io::Result<Runtime> {
    Runtime::new(Config { driver, timers, ..Config::default() })
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
