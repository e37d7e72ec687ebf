//! libFuzzer's side: it calls the target named in `PAGEWIRE_FUZZ_TARGET` with inputs that reach new code. Built and
//! started by the runner, with LLVM's coverage passes on.
#![no_main]

use std::sync::OnceLock;

use pagewire_fuzz::{Target, find, runner::TARGET_VARIABLE};

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
        find(&name).unwrap_or_else(|| panic!("{TARGET_VARIABLE} names no target: {name:?}"))
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (target().run)(bytes));
