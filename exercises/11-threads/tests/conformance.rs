//! The runtime of this chapter, held to what every stage owes its tasks and its streams. The suite is
//! the one of chapter 5, unchanged.

use ch11_threads::{Config, Runtime};
use conformance::{executor_suite, net_suite, tcp_stage};

tcp_stage!(
    Chapter11(Runtime),
    new: Runtime::new(Config::default()),
    spawn: ch09_fairness::spawn,
    net: ch07_tcp
);
executor_suite!(Chapter11);
net_suite!(Chapter11);
