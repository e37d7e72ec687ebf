//! `[text]`: the file of thresholds that were measured on a machine, which people edit.

use pagewire_zcopy::Thresholds;

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(first) = text.parse::<Thresholds>() else { return };
    assert_eq!(first.to_string().parse(), Ok(first), "not the same the second time");
    let steps = first.steps();
    assert!(steps.is_sorted_by(|one, next| one.up_to_bytes < next.up_to_bytes), "{first:?}");
    assert_eq!(steps.last().map(|last| last.up_to_bytes), Some(u64::MAX), "it ends");
    for step in steps {
        assert_eq!(first.route_for(step.up_to_bytes), step.route, "{first:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "8192 copy\nmax sendfile\n",
        "4096 copy, 65536 splice # measured\nmax zerocopy\n",
        "# none\nmax copy",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_ladders() {
        for seed in seeds() {
            let text = String::from_utf8(seed).expect("text");
            assert!(text.parse::<Thresholds>().is_ok(), "{text}");
        }
    }
}
