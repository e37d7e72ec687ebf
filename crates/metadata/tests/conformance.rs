//! Both stores pass the suite, and the catalog works over both.

use std::sync::Arc;

use async_trait::async_trait;
use pagewire_metadata::model::{ConfigScope, TopicRecord};
use pagewire_metadata::testing::{Harness, run_all};
use pagewire_metadata::{
    Catalog, CatalogError, EmbeddedStore, FILE_NAME, ManualClock, MemoryStore, OpenError, Store, SystemClock,
};

struct Memory {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Harness for Memory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        self.store.expire_leases();
    }
}

struct Embedded {
    store: Arc<EmbeddedStore>,
    clock: Arc<ManualClock>,
    _dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for Embedded {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn advance(&self, ms: i64) {
        self.clock.advance(ms);
        self.store.expire_leases().await.expect("the store is open");
    }
}

fn memory() -> Memory {
    let clock = Arc::new(ManualClock::new(1_000_000));
    Memory { store: Arc::new(MemoryStore::new(Arc::clone(&clock) as _)), clock }
}

fn embedded() -> Embedded {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(1_000_000));
    let store =
        EmbeddedStore::open(&dir.path().join(FILE_NAME), Arc::clone(&clock) as _).expect("a new store");
    Embedded { store: Arc::new(store), clock, _dir: dir }
}

#[tokio::test]
async fn the_memory_store_conforms() {
    run_all(&memory()).await.expect("the suite passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_conforms() {
    run_all(&embedded()).await.expect("the suite passes");
}

async fn catalog_facts(catalog: Catalog) {
    let cluster = catalog.cluster(5).await.expect("an identity");
    assert_eq!(cluster.cluster_id.len(), 22);
    assert_eq!(catalog.cluster(9).await.expect("the same"), cluster);

    let mut topic = TopicRecord::on_one_node("orders", 3, 1, 5);
    topic.configs.insert("retention.ms".to_owned(), "1000".to_owned());
    let version = catalog.create_topic(&topic).await.expect("a new topic");
    let again = TopicRecord::on_one_node("orders", 1, 1, 6);
    assert_ne!(again.topic_id, topic.topic_id);
    assert!(matches!(catalog.create_topic(&again).await, Err(CatalogError::Conflict { .. })));
    assert_eq!(catalog.topic("orders").await.expect("a read"), Some((topic.clone(), version)));
    topic.configs.clear();
    let newer = catalog.replace_topic(&topic, version).await.expect("nobody else wrote");
    assert!(matches!(catalog.replace_topic(&topic, version).await, Err(CatalogError::Conflict { .. })));
    let (mut topics, revision) = catalog.topics().await.expect("a listing");
    assert_eq!((&topics, revision), (&vec![(topic, newer)], newer));
    let topic = topics.remove(0).0;
    assert!(matches!(catalog.delete_topic(&topic, version).await, Err(CatalogError::Conflict { .. })));
    assert_eq!(catalog.deleted_topics().await.expect("a listing"), []);
    let deleted = catalog.delete_topic(&topic, newer).await.expect("nobody else wrote");
    assert_eq!(catalog.topic("orders").await.expect("a read"), None);
    assert_eq!((&*deleted.name, deleted.topic_id), ("orders", topic.topic_id));
    assert_eq!(catalog.deleted_topics().await.expect("a listing"), [deleted]);
    catalog.forget_deleted(topic.topic_id).await.expect("a write");
    assert_eq!(catalog.deleted_topics().await.expect("a listing"), []);

    for scope in [ConfigScope::BrokerDefault, ConfigScope::Broker(1), ConfigScope::Group("a/b".to_owned())] {
        let (mut record, version) = catalog.config(&scope).await.expect("a read");
        assert_eq!(version, 0);
        record.configs.insert("k".to_owned(), "v".to_owned());
        catalog.replace_config(&scope, &record, version).await.expect("nobody else wrote");
        assert!(catalog.replace_config(&scope, &record, version).await.is_err());
    }
    assert_eq!(catalog.configs().await.expect("a listing").len(), 3);

    let mut firsts = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let catalog = catalog.clone();
        tasks.spawn(async move { catalog.allocate_producer_ids().await.expect("a block").first });
    }
    while let Some(first) = tasks.join_next().await {
        firsts.push(first.expect("no panic"));
    }
    firsts.sort_unstable();
    assert_eq!(firsts, (0..8).map(|block| block * 1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_catalog_works_over_memory() {
    catalog_facts(Catalog::new(memory().store())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_works_over_the_embedded_store() {
    let harness = embedded();
    catalog_facts(Catalog::new(harness.store())).await;
}

#[tokio::test]
async fn a_newer_record_is_an_error_that_says_so() {
    let store = memory().store();
    let newer = r#"{"v":99,"cluster_id":"x","shape":"unknown"}"#;
    store.put_if("cluster", newer.into(), pagewire_metadata::Expect::Any).await.expect("a write");
    let error = Catalog::new(store).cluster(0).await.expect_err("it must not be guessed").to_string();
    assert!(error.contains("version 99") && error.contains("newer pagewire"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_reopen() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(1_000));
    let open = || EmbeddedStore::open(&dir.path().join(FILE_NAME), Arc::clone(&clock) as _);
    let (revision, lease) = {
        let store = open().expect("a new store");
        assert!(matches!(open(), Err(OpenError::InUse(_))), "one process at a time");
        let lease = store.grant(500).await.expect("a lease");
        let batch = pagewire_metadata::Batch::new()
            .put("plain", "kept", pagewire_metadata::Expect::Absent)
            .put_leased("leased", "for a while", pagewire_metadata::Expect::Absent, lease);
        (store.commit(batch).await.expect("a write"), lease)
    };
    let store = open().expect("the same store");
    let listing = store.list("").await.expect("a listing");
    assert_eq!((listing.revision, listing.entries.len()), (revision, 2));
    store.keep_alive(lease).await.expect("a lease outlives a restart");
    drop(store);
    clock.advance(501);
    let store = open().expect("the same store");
    assert_eq!(store.get("leased").await.expect("a read"), None);
    assert!(store.get("plain").await.expect("a read").is_some());
    let mut late = store.watch("", 0).await.expect("a watch");
    assert!(
        matches!(late.next().await, Some(pagewire_metadata::Event::Resync { .. })),
        "history is not kept"
    );
}

#[tokio::test]
async fn nothing_is_changed_in_a_file_that_the_next_start_would_not_find() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    for put_in_its_place in [false, true] {
        let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("a store");
        let batch = || pagewire_metadata::Batch::new().put("key", "value", pagewire_metadata::Expect::Any);
        store.commit(batch()).await.expect("there");
        if put_in_its_place {
            std::fs::copy(&path, dir.path().join("copy")).expect("copied");
            std::fs::rename(dir.path().join("copy"), &path).expect("put there");
        } else {
            std::fs::remove_file(&path).expect("removed");
        }
        let refused = store.commit(batch()).await.expect_err("lost with the process").to_string();
        assert!(refused.contains("removed or replaced") && refused.contains("pagewire backup"), "{refused}");
        assert!(store.get("key").await.expect("what is known is told").is_some());
    }
}

#[tokio::test]
async fn a_file_that_is_not_in_its_place_is_noticed_by_a_look_and_rescued_at_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, aside) = (dir.path().join(FILE_NAME), dir.path().join("aside"));
    let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("a store");
    let batch = || pagewire_metadata::Batch::new().put("key", "value", pagewire_metadata::Expect::Any);
    store.commit(batch()).await.expect("there");
    store.look();
    assert_eq!(store.trouble(), None);
    std::fs::rename(&path, &aside).expect("moved");
    store.look();
    let why = store.trouble().expect("noticed").reason;
    assert!(why.contains("removed or replaced") && why.contains("pagewire backup"), "{why}");
    std::fs::rename(&aside, &path).expect("moved back");
    store.look();
    assert_eq!(store.trouble(), None);
    // What is in its place needs no rescue.
    store.rescue();
    drop(store);
    let rescued = path.with_extension("redb.rescued");
    assert!(!rescued.exists());
    let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("a store");
    std::fs::remove_file(&path).expect("removed");
    store.rescue();
    drop(store);
    assert!(!path.exists(), "nobody knows what was wanted");
    std::fs::rename(&rescued, &path).expect("put there");
    let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("whole");
    assert!(store.get("key").await.expect("answers").is_some());
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(pagewire_metadata::FILE_NAME);
    std::fs::write(&path, b"this was never a database, whatever its name says").expect("a write");
    let error = EmbeddedStore::open(&dir.path().join(FILE_NAME), Arc::new(SystemClock))
        .expect_err("not ours")
        .to_string();
    assert!(error.contains("metadata.redb"), "{error}");
    assert!(std::fs::read(&path).expect("a read").starts_with(b"this was never"));
}

/// Also above ids that the original gave out after the copy was made, when it had given out none before.
#[tokio::test]
async fn a_copy_gives_out_producer_ids_far_above_those_of_its_original() {
    let copies = [false, true].map(|had_given| (had_given, memory()));
    for (had_given, copy) in copies {
        let catalog = Catalog::new(copy.store());
        let had = if had_given { catalog.allocate_producer_ids().await.expect("ids").len } else { 0 };
        catalog.leap(1000, 1 << 32).await.expect("leaps");
        assert_eq!(catalog.allocate_producer_ids().await.expect("ids").first, had + (1 << 32));
    }
}
