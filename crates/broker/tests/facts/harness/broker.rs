//! A broker inside the test process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use pagewire_broker::{
    CleanerGauges, Node, StartError,
    config::{BrokerConfig, Origin, Sources},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::Client;

/// One runtime for all brokers of the process, as one machine would have.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());
    &RUNTIME
}

/// Settings that make a broker small and quick: a free port, few partitions for groups, no wait for more members.
pub(crate) fn config(dir: &Path, settings: &[(String, String)]) -> BrokerConfig {
    let mut sources = Sources::new();
    let mut add = |key: &str, value: &str| sources.add(key, value, Origin::Flag);
    add("log.dirs", &dir.display().to_string());
    add("listeners", "PLAINTEXT://127.0.0.1:0");
    add("offsets.topic.num.partitions", "2");
    add("group.initial.rebalance.delay.ms", "0");
    add("pagewire.io.threads", "2");
    // Many brokers share the descriptors of one process.
    add("pagewire.open.files.max", "500");
    for (key, value) in settings {
        add(key, value);
    }
    BrokerConfig::load(sources).unwrap().0
}

/// A running broker and the directory it lives in. Stopped when dropped.
pub(crate) struct Broker {
    node: Option<Node>,
    dir: PathBuf,
    /// Gone with the last one who needs it; none of a directory that is another's.
    _own: Option<Arc<TempDir>>,
    settings: Vec<(String, String)>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A broker with these settings over the usual ones.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::try_with(settings).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or why it does not start.
    pub(crate) fn try_with(settings: &[(&str, &str)]) -> Result<Self, StartError> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let own = Arc::new(tempfile::tempdir().unwrap());
        let mut broker = Self { node: None, dir: own.path().to_path_buf(), _own: Some(own), settings };
        broker.node = Some(broker.start_node()?);
        Ok(broker)
    }

    /// A broker on a directory that is there.
    pub(crate) fn on(dir: &Path) -> Self {
        let mut broker = Self { node: None, dir: dir.to_path_buf(), _own: None, settings: Vec::new() };
        broker.node = Some(broker.start_node().unwrap());
        broker
    }

    /// Another node on the same directory, or why there is none.
    pub(crate) fn start_node(&self) -> Result<Node, StartError> {
        runtime().block_on(Node::start(config(&self.dir, &self.settings)))
    }

    /// Stops cleanly and starts again on the same directory. Clients of before are disconnected.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.node = Some(self.start_node().unwrap());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            runtime().block_on(node.stop()).unwrap();
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.node.as_ref().unwrap().addresses()[0]
    }

    /// How compaction stands.
    pub(crate) fn cleaner(&self) -> CleanerGauges {
        self.node.as_ref().unwrap().cleaner_gauges()
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.node.as_ref().unwrap().addresses().to_vec()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            // A failed test panics already; what stopping says does not matter then.
            let _ = runtime().block_on(node.stop());
        }
    }
}
