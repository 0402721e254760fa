//! Chapter 9's runtime, held to what every stage owes its tasks and its streams.

use ch09_fairness::{Config, Runtime};
use conformance::{executor_suite, net_suite, tcp_stage};

tcp_stage!(
    Chapter9(Runtime),
    new: Runtime::new(Config::default()),
    spawn: ch09_fairness::spawn,
    net: ch07_tcp
);
executor_suite!(Chapter9);
net_suite!(Chapter9);
