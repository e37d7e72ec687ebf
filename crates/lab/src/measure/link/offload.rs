//! Offloads of an interface, as a record has them.

use std::collections::BTreeMap;

use anyhow::Context;
use pagewire_offload::Offloads;

/// What the interface does itself, of what matters here: name -> `on` or `off`.
pub(crate) fn telling(interface: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let found = pagewire_offload::of(interface).with_context(|| format!("the offloads of {interface}"))?;
    let Offloads { scatter_gather, checksum, tcp_segmentation, generic_segmentation } = found;
    let named = [
        ("scatter-gather", scatter_gather),
        ("tx-checksum", checksum),
        ("tcp-segmentation", tcp_segmentation),
        ("generic-segmentation", generic_segmentation),
    ];
    let state = |is_on| if is_on { "on" } else { "off" };
    Ok(named.into_iter().map(|(name, is_on)| (name.to_owned(), state(is_on).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_gathers_as_far_as_this_kernel_tells() {
        match telling("lo") {
            Ok(told) => assert_eq!(told.get("scatter-gather").map(String::as_str), Some("on"), "{told:?}"),
            Err(error) => eprintln!("offloads cannot be read here: {error:#}"),
        }
        assert!(telling("no-such-interface").is_err());
    }
}
