//! How far behind the start of a page a buffer lies, and what that does to the copy into it. Some CPUs copy several
//! times slower where source and target lie a few bytes apart within their pages; whether this is one shows by a sweep.

use std::fs::File;

use anyhow::Context;
use pagewire_zcopy::DirectBuffer;

use super::buffers::{BUFFER_BYTES, FILE_BYTES, PAGE, read_into};
use super::{Bench, Tried, figures};
use crate::measure::worker::filled;
use crate::proof::bench::ROUNDS;
use crate::proof::compared::Compared;

/// Bytes behind the start of a page; each is held against the start itself. Allocators put large blocks at 16.
const DISTANCES: [usize; 6] = [1, 16, 31, 32, 64, 2048];
/// Reading into what lies there takes so many times the CPU: a cliff, and not only a slope.
const CLIFF: f64 = 1.5;

pub(super) fn cliff(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sweep = sweep(bench)?;
    let verdicts: Vec<(usize, Option<bool>)> =
        sweep.iter().map(|(distance, compared)| (*distance, is_cliff(compared))).collect();
    let ratios: Vec<String> =
        sweep.iter().map(|(distance, compared)| format!("at {distance} {:.2}", compared.middle())).collect();
    let aligned = sweep.first().map_or(0.0, |(_, compared)| compared.other());
    let mut figures = figures([("aligned_cpu_s_per_gb", aligned)]);
    figures.extend(
        sweep
            .iter()
            .map(|(distance, compared)| (format!("ratio_{distance}_bytes_behind"), compared.middle())),
    );
    Ok(Tried {
        holds: holds(&verdicts),
        evidence: format!(
            "reading 1 MiB at a time into memory that begins with a page costs {aligned:.3} CPU s/GB; so many times that into \
             memory that begins so many bytes behind it: {} (the middle of {ROUNDS} rounds; from {CLIFF} on it is a cliff): \
             {}",
            ratios.join(", "),
            place(&verdicts)
        ),
        figures,
    })
}

/// Each distance held against the start of a page, in turn within each round.
fn sweep(bench: &Bench<'_>) -> anyhow::Result<Vec<(usize, Compared)>> {
    let file = filled(bench.dir, b'D', FILE_BYTES)?;
    let mut aligned = DirectBuffer::unpooled(BUFFER_BYTES)?;
    aligned.fill(1);
    let mut memory = vec![1; BUFFER_BYTES + 2 * PAGE];
    let mut at_start = Vec::new();
    let mut behind = DISTANCES.map(|distance| (distance, Vec::new()));
    for _ in 0..ROUNDS {
        bench.go_on()?;
        at_start.push(read_into(&file, aligned.get_mut(..BUFFER_BYTES).context("a short buffer")?)?);
        for (distance, costs) in &mut behind {
            costs.push(read_behind(&file, &mut memory, *distance)?);
        }
    }
    behind.into_iter().map(|(distance, costs)| Ok((distance, Compared::of(&costs, &at_start)?))).collect()
}

fn read_behind(file: &File, memory: &mut [u8], distance: usize) -> anyhow::Result<f64> {
    read_into(file, at(memory, distance)?)
}

/// A part of `memory` that begins so far behind the start of a page.
fn at(memory: &mut [u8], distance: usize) -> anyhow::Result<&mut [u8]> {
    let start = memory.as_ptr().addr();
    let skip = (distance + PAGE - start % PAGE) % PAGE;
    memory.get_mut(skip..skip + BUFFER_BYTES).context("memory that is too short")
}

fn is_cliff(compared: &Compared) -> Option<bool> {
    compared.is_below(CLIFF).map(|is_below| !is_below)
}

/// One place is enough for a cliff; that there is none needs all of them.
fn holds(verdicts: &[(usize, Option<bool>)]) -> Option<bool> {
    let is = |verdict| move |&(_, found): &(usize, Option<bool>)| found == verdict;
    if verdicts.iter().any(is(Some(true))) {
        return Some(true);
    }
    verdicts.iter().all(is(Some(false))).then_some(false)
}

fn place(verdicts: &[(usize, Option<bool>)]) -> String {
    let at = |verdict| -> String {
        let found = verdicts.iter().filter(|(_, found)| *found == verdict);
        found.map(|(distance, _)| distance.to_string()).collect::<Vec<String>>().join(", ")
    };
    match holds(verdicts) {
        Some(true) => format!("a cliff at {}", at(Some(true))),
        Some(false) => "no cliff here".to_owned(),
        None => format!("the rounds do not decide at {}", at(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_where_it_was_asked_for() {
        let mut memory = vec![0; BUFFER_BYTES + 2 * PAGE];
        for distance in [0, 1, 16, 2048, 4095] {
            let part = at(&mut memory, distance).unwrap();
            assert_eq!((part.as_ptr().addr() % PAGE, part.len()), (distance, BUFFER_BYTES));
        }
    }

    #[test]
    fn a_sweep_tells_where_the_cliff_is_and_that_there_is_none_only_of_all() {
        let found = [(1, Some(true)), (16, Some(true)), (64, Some(false)), (2048, None)];
        assert_eq!((holds(&found), place(&found)), (Some(true), "a cliff at 1, 16".to_owned()));
        let none = [(1, Some(false)), (64, Some(false))];
        assert_eq!((holds(&none), place(&none)), (Some(false), "no cliff here".to_owned()));
        let open = [(1, Some(false)), (16, None)];
        assert_eq!((holds(&open), place(&open)), (None, "the rounds do not decide at 16".to_owned()));
    }
}
