//! The examples fail in just the way the book says, and the mended ones do not.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Output;

use ch01_waiting::WAYS;
use conformance::demo::{self, HUNG, Version};
use conformance::{Server, watch};

#[test]
fn one_slow_client_stops_all_others() {
    let demo = demo::start("one_slow_client", Version::Failing);
    assert_eq!(demo.status, Some(HUNG), "{demo:?}");
    assert!(demo.stdout.contains("Bob said \"hello\", and waits"), "{demo:?}");
    assert!(!demo.stdout.contains("Bob got it back"), "{demo:?}");
}

#[test]
fn one_slow_client_stops_nobody_when_each_has_a_thread() {
    let demo = demo::start("one_slow_client", Version::Mended);
    assert_eq!(demo.status, Some(0), "{demo:?}");
    assert!(demo.stdout.contains("Bob got it back"), "{demo:?}");
}

#[test]
fn spinning_burns_a_core_while_nobody_says_anything() {
    let demo = demo::start("spin_burns", Version::Failing);
    assert_eq!(demo.status, Some(1), "{demo:?}");
    assert!(demo.stderr.contains("keeps a core busy"), "{demo:?}");
}

#[test]
fn epoll_wakes_the_thread_three_times_for_one_client_with_one_message() {
    let demo = demo::start("spin_burns", Version::Mended);
    assert_eq!(demo.status, Some(0), "{demo:?}");
    assert!(demo.stdout.contains("asked in vain 0 times"), "{demo:?}");
    assert!(demo.stdout.contains("woken by epoll 3 times"), "{demo:?}");
}

#[test]
fn each_silent_client_costs_a_thread() {
    let demo = demo::start("silent_clients", Version::Failing);
    assert_eq!(demo.status, Some(1), "{demo:?}");
    assert!(demo.stdout.contains("threads than before: 100."), "{demo:?}");
}

#[test]
fn silent_clients_cost_no_thread_with_epoll() {
    let demo = demo::start("silent_clients", Version::Mended);
    assert_eq!(demo.status, Some(0), "{demo:?}");
    assert!(demo.stdout.contains("threads than before: 0."), "{demo:?}");
}

#[test]
fn the_example_can_be_talked_to_in_each_of_the_four_ways() {
    for (way, _) in WAYS {
        watch(move || {
            let server = Server::start("four_ways", &[way, "127.0.0.1:0"]);
            let mut client = TcpStream::connect(&server.address).unwrap();
            client.write_all(b"hello\n").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "hello\n", "{way}");
        });
    }
}

#[test]
fn the_example_says_in_one_line_why_it_cannot_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().to_string();
    for (arguments, sentence) in [
        (vec![], "Say which way"),
        (vec!["sleeping", "127.0.0.1:0"], "no way `sleeping`"),
        (vec!["spin", "nowhere"], "Cannot listen on `nowhere`"),
        (vec!["spin", busy.as_str()], "Address already in use"),
    ] {
        let Output { status, stderr, .. } =
            demo::example("four_ways").args(&arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        assert!(stderr.contains(sentence), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}
