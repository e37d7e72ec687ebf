//! Values that options of several subcommands of `lab` share. Names come from the lab, so that they are the same in
//! options, tables and JSON.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pagewire_lab::measure::way::Way;
use pagewire_lab::record::{Link, Receiver, Residency};

/// Most rounds, and most MiB, that make sense to ask for.
pub(crate) const ROUNDS_MAX: u64 = 1000;
pub(crate) const MIB_MAX: u64 = 16 << 10;

/// Longest response that may be asked for.
const SIZE_MAX: u64 = 4 << 30;

/// A way, by its name.
pub(crate) fn way() -> impl TypedValueParser<Value = Way> {
    named(Way::all(), Way::name)
}

/// A link, by its name.
pub(crate) fn link() -> impl TypedValueParser<Value = Link> {
    named(vec![Link::Loopback, Link::Veth, Link::VethNosg], Link::name)
}

/// Where the file is, by its name.
pub(crate) fn residency() -> impl TypedValueParser<Value = Residency> {
    named(vec![Residency::Hot, Residency::Cold], Residency::name)
}

/// What the peer does, by its name.
pub(crate) fn receiver() -> impl TypedValueParser<Value = Receiver> {
    named(vec![Receiver::Drain, Receiver::Read], Receiver::name)
}

/// A size, such as `4KiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let bytes = pagewire_lab::size::parse(text)?;
    if bytes > SIZE_MAX {
        return Err(format!("at most {}", pagewire_lab::size::text(SIZE_MAX)));
    }
    Ok(bytes)
}

fn named<T>(all: Vec<T>, name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + std::fmt::Debug + Send + Sync + 'static,
{
    let names: Vec<&'static str> = all.iter().map(|&value| name(value)).collect();
    let find = move |text: String| all.iter().copied().find(|&value| name(value) == text);
    PossibleValuesParser::new(names).try_map(move |text| find(text).ok_or("no such name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_limit() {
        assert_eq!(size("64KiB"), Ok(64 << 10));
        assert!(size("5GiB").is_err() && size("0").is_err());
    }
}
