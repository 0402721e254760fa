//! `spawn` of this chapter on the runtime of chapter 9, held to what every stage owes its tasks and its
//! streams.

use ch09_fairness::{Config, Runtime};
use conformance::{executor_suite, net_suite, tcp_stage};

tcp_stage!(
    Chapter10(Runtime),
    new: Runtime::new(Config::default()),
    spawn: |future| drop(ch10_join_cancel::spawn(future)),
    net: ch07_tcp
);
executor_suite!(Chapter10);
net_suite!(Chapter10);
