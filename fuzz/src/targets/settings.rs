//! `[text]`: a `server.properties`, which somebody wrote for Kafka.

use pagewire_broker::config::{ConfigErrors, Layers, Origin, Sources};

const PATH: &str = "server.properties";

pub(super) fn run(bytes: &[u8]) {
    let mut sources = Sources::new();
    sources.add_file(PATH, bytes);
    assert!(sources.notices().iter().all(|notice| !notice.is_empty()));
    let given = match sources.finish() {
        Ok(given) => given,
        Err(ConfigErrors(errors)) => {
            assert!(
                !errors.is_empty() && errors.iter().all(|error| error.to_string().contains(PATH)),
                "{errors:?}"
            );
            return;
        }
    };
    let mut again = Sources::new();
    for (name, value) in &given {
        again.add(name, &value.value, Origin::Flag);
    }
    let again = again.finish().unwrap_or_else(|errors| panic!("{given:?} is no setting any more: {errors}"));
    let values = |of: &std::collections::BTreeMap<&'static str, pagewire_broker::config::Given>| {
        of.iter().map(|(name, given)| (*name, given.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&given), "not the same the second time");
    let layers = Layers::new(given.clone());
    for name in given.keys() {
        assert!(layers.value(name).is_some(), "{name} was given and has no value");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "# a broker\nnode.id=1\nlog.dirs=/data,/more\nlisteners=PLAINTEXT://:9092\nlog.retention.ms=60000\n",
        "log.segment.bytes = 1073741824\n! old\nnum.io.threads: 8\nlog.cleaner.enable true\n",
        "log.dirs=\\u002fdata\\\n    /more\nlog.retention.hours=168\nmin.insync.replicas=1\n",
        "zookeeper.connect=localhost:2181\nprocess.roles=broker,controller\npagewire.transfer.thresholds=4096 copy, max splice\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
