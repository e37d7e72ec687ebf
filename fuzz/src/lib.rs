//! Fuzz targets: one function per entry point that takes bytes from outside, and what must hold for any bytes.
//!
//! | who runs them | how |
//! |---|---|
//! | `cargo run -p pagewire-fuzz -- request --seconds 60` | guided by coverage: the runner builds `bin/engine.rs` with libFuzzer and LLVM's coverage passes, on the stable toolchain |
//! | `cargo test -p pagewire-fuzz` | every target, a bounded number of seeded mutations, and every file of `regressions/` |
//!
//! A target panics where a promise is broken; returning is all that it is asked for otherwise. Targets are
//! deterministic functions of their bytes: no clock, no network, no files outside memory.

pub mod input;
pub mod mutate;
pub mod runner;
pub mod targets;

pub use targets::{TARGETS, Target};

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
