//! Who looks on while the lab works: told how far it is, and asked whether it should go on. The same for whatever the
//! lab does.

/// Looks on. The lab calls it from the thread that measures, between measurements. Who does not care for something leaves it out.
pub trait Watch {
    /// Work of so many steps begins.
    fn begin(&mut self, _steps: u64) {}

    /// One step is done; `what` is next to be told about it.
    fn step(&mut self, _what: &str) {}

    /// So many steps fall away.
    fn skip(&mut self, _steps: u64) {}

    /// Something a person should know once: a link that is missing, a broker whose CPU cannot be seen.
    fn note(&mut self, _line: &str) {}

    /// Whether the work should end with what there is.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Nobody looks on, and nothing stops the work: for tests, and for callers that wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watch for Nobody {}
