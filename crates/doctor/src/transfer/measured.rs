//! Whether thresholds were measured here, by what their text says of itself. A data directory moves to other machines,
//! and machines get other kernels.

use pagewire_zcopy::MeasuredOn;
use rustix::system::uname;

use crate::machine::processors;

/// This machine, as a text that is measured here says it.
pub(super) fn here() -> MeasuredOn {
    let system = uname();
    let word = |text: &std::ffi::CStr| Some(text.to_string_lossy().into_owned());
    let here = MeasuredOn {
        kernel: word(system.release()),
        cpu: processors::model().or_else(|| word(system.machine())),
        date: None,
    };
    // Names that a text cuts or cleans are compared as it has them.
    MeasuredOn::told_by(&here.to_string())
}

/// What is otherwise `here` than `then`, in words. What either does not tell is not compared.
pub(super) fn changes(then: &MeasuredOn, here: &MeasuredOn) -> Vec<String> {
    let pairs = [("kernel", &then.kernel, &here.kernel), ("processor", &then.cpu, &here.cpu)];
    let differ = |(what, then, here): (&str, &Option<String>, &Option<String>)| {
        let (then, here) = (then.as_ref()?, here.as_ref()?);
        (then != here).then(|| format!("{what} {then}, here {here}"))
    };
    pairs.into_iter().filter_map(differ).collect()
}

/// The day that a text says, without the time of day if it is a timestamp.
pub(super) fn day(told: &MeasuredOn) -> Option<&str> {
    told.date.as_deref().and_then(|date| date.split('T').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(kernel: &str, cpu: &str) -> MeasuredOn {
        MeasuredOn { kernel: Some(kernel.to_owned()), cpu: Some(cpu.to_owned()), date: None }
    }

    #[test]
    fn only_what_both_tell_is_compared() {
        let (then, nobody) = (on("6.12.0", "A Model 3"), MeasuredOn::default());
        assert!(changes(&then, &then).is_empty());
        assert!(changes(&then, &nobody).is_empty() && changes(&nobody, &then).is_empty());
        assert_eq!(changes(&then, &on("6.13.0", "A Model 3")), ["kernel 6.12.0, here 6.13.0"]);
        assert_eq!(changes(&then, &on("6.12.0", "B")), ["processor A Model 3, here B"]);
        assert_eq!(changes(&then, &on("16.12.0", "A Model 3")).len(), 1);
    }

    #[test]
    fn a_day_has_no_time_of_day() {
        let dated = |date: &str| MeasuredOn { date: Some(date.to_owned()), ..MeasuredOn::default() };
        assert_eq!(day(&dated("2026-01-02T03:04:05.678Z")), Some("2026-01-02"));
        assert_eq!((day(&dated("spring")), day(&MeasuredOn::default())), (Some("spring"), None));
    }

    #[test]
    fn this_machine_has_a_kernel_and_a_processor() {
        let here = here();
        assert!(here.kernel.is_some() && here.cpu.is_some(), "{here:?}");
    }
}
