//! Figures of a tail by what they are of. The drive counts a record for each consumer that gets it, and calls that a record; with
//! four of them the costs of one that was produced are four times as much.

/// Our key, the drive's, and the name.
const FIGURES: [(&str, &str, &str); 4] = [
    ("cpu_us_per_delivery", "cpu_us_per_record", "CPU \u{b5}s/delivery"),
    ("machine_cpu_us_per_delivery", "machine_cpu_us_per_record", "machine's CPU \u{b5}s/delivery"),
    (
        "synced_cpu_us_per_delivery",
        "synced_cpu_us_per_record",
        "machine's CPU \u{b5}s/delivery until on the disk",
    ),
    ("syscalls_per_delivery", "syscalls_per_record", "system calls/delivery"),
];

/// The drive's key of a figure; any other one is the drive's own.
pub(crate) fn drives(key: &str) -> &str {
    FIGURES.iter().find(|(ours, ..)| *ours == key).map_or(key, |(_, drives, _)| drives)
}

/// What it is called, if it is one of these.
pub(crate) fn name(key: &str) -> Option<&'static str> {
    FIGURES.iter().find(|(ours, ..)| *ours == key).map(|(.., name)| *name)
}

#[cfg(test)]
mod tests {
    use pagewire_lab::drive::words;

    use super::*;

    #[test]
    fn each_is_a_figure_of_the_drive_by_record_under_another_name() {
        for (ours, drive, called) in FIGURES {
            assert_eq!((drives(ours), name(ours)), (drive, Some(called)));
            assert_eq!(called.replace("delivery", "record"), words::name(drive));
        }
        assert_eq!((drives("mb_per_s"), name("mb_per_s")), ("mb_per_s", None));
    }
}
