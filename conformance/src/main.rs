//! The driver's binary: `cargo run -p pagewire-conformance -- [SUITE...] [--bootstrap HOST:PORT]`.

use std::io::Write;
use std::process::ExitCode;

use pagewire_conformance::options::{Options, USAGE};
use pagewire_conformance::parts::compatibility;
use pagewire_conformance::run;
use pagewire_conformance::workspace::Workspace;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        let _ = std::io::stdout().write_all(USAGE.as_bytes());
        return ExitCode::SUCCESS;
    }
    if arguments == ["--page"] {
        return match compatibility(&Workspace::of_this_build()) {
            Ok(page) => {
                let _ = std::io::stdout().write_all(page.as_bytes());
                ExitCode::SUCCESS
            }
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error:#}");
                ExitCode::from(1)
            }
        };
    }
    let ended = Options::parse(arguments)
        .map_err(|error| (2, error))
        .and_then(|options| run::run(&options).map_err(|error| (1, error)));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err((code, error)) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::from(code)
        }
    }
}
