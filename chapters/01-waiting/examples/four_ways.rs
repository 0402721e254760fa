//! The echo server in each of its four ways, to talk to, for example with `nc`.
//!
//! `cargo run -p ch01-waiting --example four_ways -- WAY ADDRESS`, where WAY is `blocking`, `threads`,
//! `spin` or `callbacks`, and ADDRESS is for example `127.0.0.1:7000`. Ctrl-C ends it.

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;

use ch01_waiting::WAYS;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let names = WAYS.map(|(name, _)| name).join(", ");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [way, address] = arguments.as_slice() else {
        return Err(format!("Say which way ({names}) and where (say 127.0.0.1:7000).").into());
    };
    let Some((_, serve)) = WAYS.into_iter().find(|(name, _)| name == way) else {
        return Err(format!("There is no way `{way}` to wait. There are: {names}.").into());
    };
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("Cannot listen on `{address}`: {error}"))?;

    println!("Listening on {}", listener.local_addr()?);
    serve(listener, usize::MAX).map_err(|error| format!("Cannot go on: {error}"))?;
    Ok(())
}
