//! Every message in every version: what we write we read back, in the size we measured.

use pagewire_wire::testing::{ALL, Rng};

#[test]
fn random_messages_of_every_version_read_back() {
    for entry in ALL {
        for version in entry.min..=entry.max {
            let mut rng = Rng::new(u64::from(version.unsigned_abs()) << 32 | entry.name.len() as u64);
            for _ in 0..20 {
                // The entry compares the message read back with the one written, and the measured size.
                let bytes = (entry.random)(&mut rng, version)
                    .unwrap_or_else(|e| panic!("{} v{version}: {e}", entry.name));
                let (again, left) = (entry.recode)(bytes.clone(), version).unwrap();
                assert_eq!((again, left), (bytes, 0), "{} v{version}", entry.name);
            }
        }
    }
}
