//! The example `hyper`, as a process: answered to curl, and ended by a signal.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use conformance::demo::{example, finish_within_deadline};
use conformance::{Server, skip, watch};
use nix::sys::signal::Signal;

const HELLO: &str = "Hello from hyper, on a runtime of ours.\n";

/// Starts the example, and ends it when `client` is through with it.
fn with_example(arguments: &[&str], signal: Signal, client: impl FnOnce(&str)) {
    let server = Server::start("hyper", &[&["127.0.0.1:0"], arguments].concat());
    client(&server.address);
    let outcome = server.stop(signal);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout, "Bye.\n");
}

/// Runs curl. `None` where there is none.
fn curl(arguments: &[&str]) -> Option<Output> {
    let mut curl = Command::new("curl");
    match curl.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip("there is no curl here");
            None
        }
        output => Some(output.expect("curl can be started")),
    }
}

/// What curl prints on its standard output.
fn curl_says(arguments: &[&str]) -> Option<String> {
    let output = curl(arguments)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn curl_is_answered_over_http1_and_needs_one_connection_for_two_requests() {
    watch(|| {
        with_example(&[], Signal::SIGINT, |url| {
            let url = format!("{url}/");
            let asked = ["--write-out", "%{http_version} %{num_connects}\n", &url, &url];
            if let Some(text) = curl_says(&asked) {
                assert_eq!(text, format!("{HELLO}1.1 1\n{HELLO}1.1 0\n"));
            }
        });
    });
}

#[test]
fn curl_is_answered_over_http2() {
    watch(|| {
        // curl before 8 has trouble with a second URL over such a connection, so there is one a call.
        with_example(&["http2"], Signal::SIGINT, |url| {
            let version =
                ["--http2-prior-knowledge", "--write-out", "%{http_version} %{http_code}\n"];
            let say = |path: &str| curl_says(&[&version[..], &[&format!("{url}{path}")]].concat());
            if let Some(text) = say("/") {
                assert_eq!(text, format!("{HELLO}2 200\n"));
                assert_eq!(
                    say("/slow").expect("curl is there"),
                    "A tenth of a second later.\n2 200\n"
                );
                assert_eq!(say("/nowhere").expect("curl is there"), "Nothing is here.\n2 404\n");
            }
        });
    });
}

#[test]
fn curl_gets_back_what_it_posts_and_may_ask_for_the_head_alone() {
    watch(|| {
        with_example(&[], Signal::SIGTERM, |url| {
            let echo = format!("{url}/echo");
            let Some(text) = curl_says(&["--data", "ping", &echo]) else { return };
            assert_eq!(text, "ping");
            let nowhere = curl_says(&["--head", &format!("{url}/nowhere")]).expect("curl is there");
            assert!(nowhere.starts_with("HTTP/1.1 404 Not Found\r\n"), "{nowhere}");
        });
    });
}

#[test]
fn http2_to_a_server_of_http1_is_refused_and_the_server_goes_on() {
    watch(|| {
        with_example(&[], Signal::SIGINT, |url| {
            let Some(output) = curl(&["--http2-prior-knowledge", url]) else { return };
            assert_ne!(output.status.code(), Some(0));
            assert_eq!(curl_says(&[url]).expect("curl is there"), HELLO);
        });
    });
}

#[test]
fn a_signal_ends_it_also_if_clients_stay() {
    watch(|| {
        let mut kept = Vec::new();
        with_example(&[], Signal::SIGINT, |url| {
            let address = url.strip_prefix("http://").expect("a URL");
            // One has said nothing, and one has had an answer.
            for ask in ["", "GET / HTTP/1.1\r\nHost: test\r\n\r\n"] {
                let mut client = TcpStream::connect(address).expect("the server listens");
                client.write_all(ask.as_bytes()).expect("the connection holds");
                kept.push(client);
            }
            let mut start = [0; 15];
            kept[1].read_exact(&mut start).expect("an answer");
            assert_eq!(&start, b"HTTP/1.1 200 OK");
        });
    });
}

#[test]
fn a_busy_port_gives_one_line_and_status_1() {
    watch(|| {
        let busy = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = busy.local_addr().expect("it is bound").to_string();
        let outcome = finish_within_deadline(example("hyper").arg(&address));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
        let line =
            format!("hyper: cannot serve on {address}: Address already in use (os error 98)\n");
        assert_eq!(outcome.stderr, line);
    });
}

#[test]
fn it_says_how_it_is_used() {
    watch(|| {
        for arguments in [&[][..], &["127.0.0.1:0", "http3"], &["1", "http2", "3"]] {
            let outcome = finish_within_deadline(example("hyper").args(arguments));
            assert_eq!(outcome.status, Some(2));
            assert!(outcome.stderr.starts_with("usage: hyper ADDRESS [http2]"));
        }
        let outcome = finish_within_deadline(example("hyper").arg("nowhere"));
        assert_eq!(outcome.status, Some(1));
        assert!(outcome.stderr.starts_with("hyper: cannot serve on nowhere: "));
    });
}
