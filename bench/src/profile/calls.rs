//! System calls by name, as `perf stat -x ,` counts them.

/// Every call there is.
pub(super) const EVENTS: &str = "syscalls:sys_enter_*";
const EVENT: &str = "syscalls:sys_enter_";

/// Those that were made, most of them first. A line is `COUNT,,syscalls:sys_enter_NAME,...`.
pub(super) fn read(csv: &str) -> Vec<(u64, String)> {
    let of = |line: &str| {
        let mut fields = line.split(',');
        let count = fields.next()?.parse::<u64>().ok().filter(|count| *count > 0)?;
        Some((count, fields.nth(1)?.strip_prefix(EVENT)?.to_owned()))
    };
    let mut calls: Vec<_> = csv.lines().filter_map(of).collect();
    calls.sort_by(|one, other| other.cmp(one));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_were_made_come_by_their_number() {
        let csv = "# started on Sat\n\n0,,syscalls:sys_enter_open,100,100.00,,\n12,,syscalls:sys_enter_recvfrom,100,100.00,,\n\
                   <not counted>,,syscalls:sys_enter_read,0,0.00,,\n30,,syscalls:sys_enter_sendfile64,100,100.00,,\n";
        assert_eq!(read(csv), [(30, "sendfile64".to_owned()), (12, "recvfrom".to_owned())]);
    }
}
