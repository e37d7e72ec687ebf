//! `lab proof`: which routes copy, and what this machine says to what people say.
//!
//! [`routes`](run) first, each by three witnesses as far as they may be asked: bytes that change after they were sent,
//! the kernel's own report, the pages it allocated. Then what people say, claim by claim.

mod bench;
mod claims;
mod compared;
mod route;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use self::bench::Bench;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::record::{Claim, ProofLine};
use crate::watch::Watch;

/// A failure that may have been somebody else's is tried once more.
const TRIES: u32 = 2;

/// What came of it, in the order in which it is told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    /// A line for each route.
    pub routes: Vec<ProofLine>,
    /// A line for each claim.
    pub claims: Vec<Claim>,
}

/// Proves, with files in `dir`. When `watch` says stop, what there is is the answer; what cannot be tried is a line
/// that says why.
///
/// # Errors
/// Where nothing at all can be tried: no worker, no file.
pub fn run(program: &Program, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Proof> {
    let ways: Vec<Way> = Way::all().into_iter().filter(|way| matches!(way, Way::Library(_))).collect();
    watch.begin((ways.len() + claims::COUNT) as u64);
    if watch.is_stopped() {
        return Ok(Proof::default());
    }
    let started = Bench::start(program, dir, &mut *watch);
    let mut bench = match started.context("over loopback") {
        Ok(bench) => bench,
        // The borrow of whoever looks on has ended with the error.
        Err(error) => return if watch.is_stopped() { Ok(Proof::default()) } else { Err(error) },
    };
    for way in ways {
        bench.watch.step(&format!("whether {} copies", way.name()));
        let Some(line) = line(&mut bench, way) else { break };
        bench.routes.push(line);
    }
    let claims = claims::all(&mut bench);
    Ok(Proof { routes: bench.routes, claims })
}

/// The line of `way`; `None` once the work is to end.
fn line(bench: &mut Bench<'_>, way: Way) -> Option<ProofLine> {
    let mut tried = Err(anyhow::anyhow!("it was not tried"));
    for _ in 0..TRIES {
        tried = route::line(bench, way);
        if tried.is_ok() {
            break;
        }
        if bench.is_stopped() {
            return None;
        }
    }
    let line = tried.unwrap_or_else(|error| route::untold(way, format!("could not be tried: {error:#}")));
    Some(ProofLine { machine: Some(bench.machine.clone()), ..line })
}

#[cfg(test)]
mod tests;
