//! Very many partitions, through a stop and a start.

use anyhow::{Context, Result};

use super::Turn;
use crate::goals::{Goal, To, at_most};
use crate::report::Name;
use crate::restart;

pub(super) const COLUMNS: &[Name] = restart::PARTITIONS;
pub(super) const GOALS: &[Goal] = &[
    at_most("RSS MiB", To::Itself, 200.0),
    at_most(restart::MEMORY_THEN, To::Itself, 200.0),
    at_most("stop s", To::Itself, 2.5),
    at_most(restart::SERVES_EACH, To::Itself, 2.5),
];

const PARTITIONS: i32 = 10_000;

pub(super) fn run(turn: &Turn<'_>) -> Result<Vec<f64>> {
    let recipe = turn.broker.recipe.as_ref().context("it was not started here")?;
    restart::partitions(recipe, PARTITIONS, |dir| turn.ends(dir))
}
