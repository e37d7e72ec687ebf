//! What the figures of the drive are called for people, with their units.

/// A figure's key in the records, and its name.
const NAMES: [(&str, &str); 33] = [
    ("cpu_s_per_gb", "CPU s/GB"),
    ("cpu_us_per_record", "CPU \u{b5}s/record"),
    ("cpu_us_per_request", "CPU \u{b5}s/request"),
    ("cpu_us_per_connect", "CPU \u{b5}s/connect"),
    ("cpu_cores", "cores busy"),
    ("client_cpu_s_per_gb", "client's CPU s/GB"),
    ("client_cpu_us_per_record", "client's CPU \u{b5}s/record"),
    ("client_cpu_us_per_request", "client's CPU \u{b5}s/request"),
    ("client_cpu_us_per_connect", "client's CPU \u{b5}s/connect"),
    ("client_cpu_cores", "client's cores busy"),
    ("machine_cpu_s_per_gb", "machine's CPU s/GB"),
    ("machine_cpu_us_per_record", "machine's CPU \u{b5}s/record"),
    ("machine_cpu_us_per_request", "machine's CPU \u{b5}s/request"),
    ("machine_cpu_cores", "machine's cores busy"),
    ("synced_cpu_s_per_gb", "machine's CPU s/GB until on the disk"),
    ("synced_cpu_us_per_record", "machine's CPU \u{b5}s/record until on the disk"),
    ("others_cpu_cores", "other brokers' cores busy"),
    ("elsewhere_cpu_cores", "somebody else's cores busy"),
    ("stolen_cpu_share", "share of the machine stolen"),
    ("syscalls_per_record", "system calls/record"),
    ("syscalls_per_request", "system calls/request"),
    ("mb_per_s", "MB/s"),
    ("records_per_s", "records/s"),
    ("requests_per_s", "requests/s"),
    ("round_s", "seconds of a round"),
    ("round_requests", "requests of a round"),
    ("connects_per_s", "connects/s"),
    ("rss_mib", "memory MiB"),
    ("peak_rss_mib", "peak memory MiB"),
    ("idle_kib_per_connection", "resident KiB/idle connection"),
    ("disk_bytes_per_byte", "share from disk"),
    ("behind_ms", "client late, at most, ms"),
    ("missing_records", "records missing"),
];

/// The name of a figure; its key where it has none.
pub fn name(key: &str) -> &str {
    NAMES.iter().find(|(of, _)| *of == key).map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_nobody_has_named_keeps_its_key() {
        assert_eq!([name("mb_per_s"), name("of_another_version")], ["MB/s", "of_another_version"]);
    }

    #[test]
    fn no_two_figures_are_called_the_same() {
        for (at, (key, name)) in NAMES.iter().enumerate() {
            let others = || NAMES.iter().skip(at + 1);
            assert!(others().all(|other| other.0 != *key && other.1 != *name), "{key}");
        }
    }
}
