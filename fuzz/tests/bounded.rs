//! Every target over its seeds, over each file of `regressions/<target>/`, and over a fixed number of seeded mutations
//! of the seeds. The same every time: a failure names the run, and prints the input.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pagewire_fuzz::mutate::mutate;
use pagewire_fuzz::{Target, find};
use pagewire_wire::testing::Rng;

fn feed(target: &Target, what: &str, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(outcome.is_ok(), "{} broke its promise on {what}; the input is {input:02x?}", target.name);
}

fn bounded(name: &str) {
    let target = find(name).expect("a target of that name");
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    for (at, seed) in seeds.iter().enumerate() {
        feed(target, &format!("seed {at}"), seed);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(name);
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        feed(target, &file.path().display().to_string(), &std::fs::read(file.path()).expect("the file"));
    }
    // A build without optimisation is ten times slower.
    let runs = if cfg!(debug_assertions) { target.bounded_runs / 10 } else { target.bounded_runs };
    for run in 0..runs {
        let mut rng = Rng::new(u64::from(run));
        let mut input = seeds.get(rng.below(seeds.len())).cloned().unwrap_or_default();
        let other = seeds.get(rng.below(seeds.len())).cloned().unwrap_or_default();
        mutate(&mut input, &other, &mut rng);
        feed(target, &format!("mutation {run}"), &input);
    }
}

macro_rules! bounded {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { bounded($name); })*

        #[test]
        fn every_target_has_a_bounded_run() {
            let names: Vec<_> = pagewire_fuzz::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

bounded! {
    requests_are_read_or_refused: "request",
    responses_are_read_or_refused: "response",
    streams_are_cut_into_the_same_frames: "frames",
    batches_are_read_or_refused: "batch",
    accepted_batches_are_valid: "produced",
    logs_open_over_anything: "recovery",
    damaged_indexes_change_no_answer: "index",
    group_records_are_read_or_refused: "group-record",
    records_of_transactions_are_read_or_refused: "txn-record",
    checkpoints_are_read_or_refused: "checkpoint",
    files_of_a_partition_are_read_to_their_end: "partition-files",
    log_directories_are_opened_or_refused: "directory",
    metadata_logs_of_kafka_are_read_or_refused: "kraft",
    manifests_are_read_or_refused: "manifest",
    control_requests_are_answered: "control",
    records_of_internal_topics_are_shown: "decoded",
    rows_of_the_metadata_are_read_or_refused: "metadata",
    metadata_files_answer_as_before_or_are_refused: "store-file",
    settings_are_read_or_told: "settings",
    thresholds_are_a_ladder_or_refused: "thresholds",
}
