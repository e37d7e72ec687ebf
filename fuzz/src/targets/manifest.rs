//! `[flags u8][lines]`: the manifest of a backup, which lay on somebody's disk for years.

use pagewire_broker::fuzzing::manifest;

use crate::input::Input;

const SEALED: u8 = 1;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    manifest(input.rest(), flags & SEALED != 0);
}

const HEAD: &str = r#"{"backup":{"format":1,"version":"0.1.0","cluster_id":"c","node_id":1,"started_ms":5,"verified":true}}"#;
const FILE: &str = r#"{"file":{"name":"metadata.redb","bytes":49152,"crc32c":2952958346}}"#;
const LOG: &str = r#"{"log":{"topic":"orders","topic_id":"UdmYYHvTSyOHkZLtJpLkwQ","partition":0,"log_start":3,"first_base":0,"end":40,"files":[{"name":"00000000000000000000.log","bytes":100,"crc32c":1,"source":[7,8],"damage":[{"from":1,"to":9,"offset":2,"next_offset":3}]},{"name":"leader-epoch-checkpoint","bytes":10}]}}"#;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let lines = |flags: u8, lines: &[&str]| [&[flags][..], lines.join("\n").as_bytes(), b"\n"].concat();
    let end = r#"{"end":{"finished_ms":7,"logs":0,"bytes":0,"crc32c":1}}"#;
    vec![
        lines(SEALED, &[HEAD, LOG, FILE]),
        lines(SEALED, &[HEAD]),
        lines(SEALED, &[HEAD, LOG, &LOG.replace("orders", "other"), FILE, FILE]),
        lines(0, &[HEAD, LOG, end]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_manifests() {
        for seed in seeds().iter().take(3) {
            assert!(manifest(&seed[1..], true), "{}", String::from_utf8_lossy(seed));
        }
        assert!(!manifest(&seeds()[3][1..], false), "its checksum is another");
    }
}
