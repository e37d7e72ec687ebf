//! `lab proof`: which routes copy, and what this machine says to what people say.
//!
//! [`routes`](run) first, each by three witnesses as far as they may be asked: bytes that change after they were sent,
//! the kernel's own report, the pages it allocated. Then the [`claims`].

mod claims;
mod route;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::measure::Pair;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::record::{Claim, Link, ProofLine};
use crate::watch::Watch;

/// The file that the streams of the proof are taken from.
const FILE_BYTES: u64 = 32 << 20;

/// What came of it, in the order in which it is told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    /// A line for each route.
    pub routes: Vec<ProofLine>,
    /// A line for each claim.
    pub claims: Vec<Claim>,
}

/// Proves, with files in `dir`. When `watch` says stop, what there is is the answer.
///
/// # Errors
/// Where not even the copy can be tried.
pub fn run(program: &Program, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Proof> {
    let mut pair = Pair::start(program, Link::Loopback, dir, FILE_BYTES).context("over loopback")?;
    let ways: Vec<Way> = Way::all().into_iter().filter(|way| matches!(way, Way::Library(_))).collect();
    watch.begin((ways.len() + claims::COUNT) as u64);
    let mut proof = Proof::default();
    for way in ways {
        if watch.is_stopped() {
            return Ok(proof);
        }
        watch.step(&format!("whether {} copies", way.name()));
        proof.routes.push(route::line(&mut pair, way)?);
    }
    claims::all(
        &mut claims::Bench { pair: &mut pair, program, dir, routes: &proof.routes },
        watch,
        &mut proof.claims,
    );
    Ok(proof)
}
