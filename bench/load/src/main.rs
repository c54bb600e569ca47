//! tcp-load: a load generator for TCP servers that speak one of a few fixed
//! small protocols (bench/README.md lists them).
//!
//! One thread, one run, one line of results. Every run is bounded by a count of
//! operations and by a time, and every byte that comes back is compared with
//! what must come back; a difference ends the run with status 1.

#![forbid(unsafe_code)]

mod args;
mod bulk;
mod connect;
mod fair;
mod idle;
mod job;
mod kept;
mod pattern;
mod process;
mod report;
mod socket;

use std::process::ExitCode;

use args::{Mode, Options};

/// What went wrong, as the text that is printed.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match Options::from_env().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("tcp-load: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let outcome = match options.mode {
        Mode::Echo | Mode::Line => kept::run(options)?,
        Mode::Job => job::run(options)?,
        Mode::Fair => fair::run(options)?,
        Mode::Connect => connect::run(options)?,
        Mode::Idle => idle::run(options)?,
        Mode::BulkDown => bulk::down(options)?,
        Mode::BulkEcho => bulk::echo(options)?,
    };

    if options.json {
        println!("{}", report::json(options, &outcome));
    } else {
        println!("{}", report::text(options, &outcome));
    }
    Ok(())
}
