//! What `perf stat -x ,` counts: system calls by name, and what the processor counts of itself, where it may be asked.

/// Every call there is.
pub(super) const CALLS: &str = "syscalls:sys_enter_*";
const CALL: &str = "syscalls:sys_enter_";
/// Of the processor. A virtual machine may have none of them.
pub(super) const HARDWARE: &str = "cycles,instructions,cache-references,cache-misses";

/// Calls that were made, most of them first.
pub(super) fn calls(csv: &str) -> Vec<(u64, String)> {
    let call = |(count, event): (u64, &str)| Some((count, event.strip_prefix(CALL)?.to_owned()));
    let mut calls: Vec<_> = events(csv).filter(|(count, _)| *count > 0).filter_map(call).collect();
    calls.sort_by(|one, other| other.cmp(one));
    calls
}

/// What the processor counted, in the order in which it was asked for; nothing where it cannot be asked.
pub(super) fn hardware(csv: &str) -> Vec<(u64, String)> {
    // With the right to count of a process alone, events bear that behind their names: `cycles:u`.
    let is_asked_for = |event: &str| HARDWARE.split(',').any(|one| event.split(':').next() == Some(one));
    events(csv)
        .filter(|(_, event)| is_asked_for(event))
        .map(|(count, event)| (count, event.to_owned()))
        .collect()
}

/// Those that were counted. A line is `COUNT,,EVENT,...`; of what cannot be counted, `<not supported>,,EVENT,...`.
fn events(csv: &str) -> impl Iterator<Item = (u64, &str)> {
    csv.lines().filter_map(|line| {
        let mut fields = line.split(',');
        Some((fields.next()?.parse().ok()?, fields.nth(1)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: &str = "# started on Sat\n\n0,,syscalls:sys_enter_open,100,100.00,,\n12,,syscalls:sys_enter_recvfrom,100,100.00,,\n\
         <not counted>,,syscalls:sys_enter_read,0,0.00,,\n30,,syscalls:sys_enter_sendfile64,100,100.00,,\n";

    #[test]
    fn calls_that_were_made_come_by_their_number() {
        assert_eq!(calls(COUNTED), [(30, "sendfile64".to_owned()), (12, "recvfrom".to_owned())]);
    }

    #[test]
    fn a_processor_that_cannot_be_asked_has_counted_nothing() {
        let asked = "<not supported>,,cycles,0,100.00,,\n<not supported>,,cache-misses,0,100.00,,\n";
        assert_eq!(hardware(&format!("{COUNTED}{asked}")), []);
        let counted = "900,,cycles:u,100,100.00,,\n1800,,instructions:u,100,100.00,2.00,insn per cycle\n0,,cache-misses,9,9.00,,\n";
        let expected = [(900, "cycles:u"), (1800, "instructions:u"), (0, "cache-misses")];
        assert_eq!(
            hardware(&format!("{COUNTED}{counted}")),
            expected.map(|(count, event)| (count, event.to_owned()))
        );
    }
}
