//! Where thresholds were measured, by the comments of their file: `# kernel 6.12.0`, `# cpu NAME`, `# date DAY`, each of
//! them or none. A data directory moves to other machines, and machines get other kernels.

use rustix::system::uname;

use crate::read;

/// Longest word of a comment that is told.
const CHARS_MAX: usize = 100;

/// Kernel and processor: of a file, or of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// `uname -r`.
    pub(super) kernel: Option<String>,
    pub(super) cpu: Option<String>,
}

impl Place {
    /// This machine.
    pub(super) fn here() -> Self {
        let info = read::text("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            kernel: Some(uname().release().to_string_lossy().into_owned()),
            cpu: model.map(|(_, name)| name.trim().to_owned()),
        }
    }

    /// What a file says.
    pub(super) fn told(text: &str) -> Self {
        Self { kernel: comment(text, "kernel"), cpu: comment(text, "cpu") }
    }

    /// What of this is otherwise `here`, in words. What either does not tell is not compared.
    pub(super) fn changes(&self, here: &Self) -> Vec<String> {
        let pairs = [("kernel", &self.kernel, &here.kernel), ("processor", &self.cpu, &here.cpu)];
        let differ = |(what, then, now): (&str, &Option<String>, &Option<String>)| {
            let (then, now) = (then.as_ref()?, now.as_ref()?);
            // `Linux 6.12.0` is that kernel too.
            (!then.ends_with(now.as_str())).then(|| format!("{what} {then}, here {now}"))
        };
        pairs.into_iter().filter_map(differ).collect()
    }
}

/// The day that a file says, as it says it.
pub(super) fn date(text: &str) -> Option<String> {
    comment(text, "date")
}

/// The words after `# key`.
fn comment(text: &str, key: &str) -> Option<String> {
    let of_line = |line: &str| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix(key)?;
        rest.starts_with([' ', '\t', ':'])
            .then(|| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    // They go to a terminal, and anybody who writes the directory may have written them.
    let clean = |words: String| words.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect::<String>();
    text.lines().find_map(of_line).map(clean).filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# pieces and routes\n# kernel 6.12.0\n# cpu: A Model 3\n# date 2026-01-02\n8192 copy, max sendfile\n";

    fn place(kernel: &str, cpu: &str) -> Place {
        Place { kernel: Some(kernel.to_owned()), cpu: Some(cpu.to_owned()) }
    }

    #[test]
    fn the_comments_of_the_file_say_where_it_was_measured() {
        assert_eq!(Place::told(TEXT), place("6.12.0", "A Model 3"));
        assert_eq!(date(TEXT).as_deref(), Some("2026-01-02"));
        assert_eq!(Place::told("max copy # kernel\n# kernels 7\n#kernel \u{1b}\n"), Place::default());
        let long = format!("# cpu {}", "x".repeat(2 * CHARS_MAX));
        assert_eq!(Place::told(&long).cpu.map(|words| words.len()), Some(CHARS_MAX));
    }

    #[test]
    fn only_what_both_tell_is_compared() {
        let told = Place::told(TEXT);
        assert!(told.changes(&told).is_empty() && told.changes(&Place::default()).is_empty());
        assert!(Place::default().changes(&told).is_empty());
        assert!(place("Linux 6.12.0", "A Model 3").changes(&told).is_empty());
        assert_eq!(told.changes(&place("6.13.0", "A Model 3")), ["kernel 6.12.0, here 6.13.0"]);
        assert_eq!(told.changes(&place("6.12.0", "B")), ["processor A Model 3, here B"]);
    }

    #[test]
    fn this_machine_has_a_kernel() {
        assert!(Place::here().kernel.is_some_and(|release| !release.is_empty()));
    }
}
