//! A log directory that was away, or took no writes any more, is served from now on.
//!
//! Loading it may take long, so no turn is held for it: topics come and go meanwhile, though none of them in this
//! directory. What is left to do in the turn is to compare what was loaded with what there is by then.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use pagewire_log::{
    Adopted, Coming, FutureLog, LoadMeter, LoadReport, LoadedLog, LogDir, LogDirOptions, LogDirs, Offline,
    SettingsOf, TakeInError, TakenIn,
};
use pagewire_metadata::{
    CatalogError,
    model::{TopicRecord, known_path},
};
use pagewire_wire::ErrorCode;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Change, Cluster, Known, Refused, TopicEntry,
    change::{change, to_its_end},
    disk, known_id, look_for_missing, pass_over_away,
    shown::{Name, Shown},
    unmade,
};
use crate::{broker::Broker, clock::now_ms, moves, net};

/// What came of it.
pub(crate) struct Online {
    /// Partitions that are served again.
    pub(crate) partitions: Vec<Name>,
    /// Those that can be read again and take no records, for why: what kept them from it has gone wrong again.
    pub(crate) read_only: Vec<(Name, Offline)>,
    /// What was opened, and what is not served.
    pub(crate) report: LoadReport,
    /// Why some could not be made, if so.
    pub(crate) trouble: Option<String>,
}

/// Loads the directory and shows its partitions. `empty`: what it held is lost, and its partitions are made anew. Of a
/// directory that is served it is about partitions in it whose directories are missing, or that could not be opened.
///
/// `watch` is told where the progress can be looked at.
pub(crate) async fn take_in(
    broker: &Arc<Broker>,
    path: PathBuf,
    empty: bool,
    watch: impl Fn(&Arc<LoadMeter>) + Send + 'static,
) -> Result<Online, Refused> {
    let cluster = broker.cluster();
    let log_dirs = &cluster.log_dirs;
    let place = path.clone();
    open(broker, move |dirs, known| dirs.look_for_removed(&place, known)).await?;
    let is_missing_some = !log_dirs.gone_in(&path).is_empty();
    // One that is served is not empty, whatever else is wrong with a log in it.
    let is_served = empty && is_missing_some || log_dirs.is_well(&path);
    if (is_missing_some || cluster.has_unshown()) && is_served || !empty && log_dirs.closed_in(&path) > 0 {
        // Recovering them may take long, so it is done before the turn, which finds them open.
        let place = path.clone();
        let report = open(broker, move |dirs, known| dirs.reopen(&place, known, now_ms())).await?;
        return change(broker, move |change| async move { change.show_reopened(&path, report, empty).await })
            .await;
    }
    let served = cluster.catalog.log_dirs(cluster.identity.node_id).await?.0;
    let topics = cluster.topic_records().await?;
    let as_what = move |path: &Path| {
        let id = known_id(&served, path);
        if empty { Coming::Bare(id) } else { Coming::Back(id) }
    };
    let taken = load(broker, path, as_what, topics, watch).await?;
    let mut least_epoch = cluster.identity.leader_epoch;
    // As after any stop that was not clean: clients are to look whether they have what is there. Before anybody is served.
    // An empty one may be left of an attempt to make its partitions anew.
    let is_unclean = !taken.report.clean;
    // Nothing is written under an epoch that a full disk keeps from being stored.
    let is_owed = cluster.log_dirs.here().any(|dir| dir.is_held());
    if empty || is_unclean || is_owed {
        least_epoch = cluster.catalog.raise_leader_epoch().await?;
    }
    change(broker, move |change| async move { change.serve(taken, least_epoch, empty).await }).await
}

/// Opens logs of a directory that is served. Without a turn: it may take long, as each of them is recovered.
async fn open<T: Send + 'static>(
    broker: &Arc<Broker>,
    work: impl FnOnce(&LogDirs, &SettingsOf<'_>) -> T + Send + 'static,
) -> Result<T, Refused> {
    let cluster = broker.cluster();
    let known = Known::of(&cluster.topic_records().await?, &broker.config());
    let log_dirs = Arc::clone(&cluster.log_dirs);
    let opened = to_its_end(move || work(&log_dirs, &|topic, partition| known.settings(topic, partition)));
    opened
        .await
        .ok_or_else(|| Refused::new(ErrorCode::KafkaStorageError, "opening them broke off".to_owned()))
}

/// On a thread of its own: it may take minutes, and the I/O pool has few.
async fn load(
    broker: &Arc<Broker>,
    path: PathBuf,
    as_what: impl FnOnce(&Path) -> Coming + Send + 'static,
    topics: Vec<TopicRecord>,
    watch: impl Fn(&Arc<LoadMeter>) + Send + 'static,
) -> Result<TakenIn, Refused> {
    let (cluster, config) = (broker.cluster(), broker.config());
    let known = Known::of(&topics, &config);
    let options = LogDirOptions {
        cluster_id: cluster.identity.cluster_id.clone(),
        node_id: cluster.identity.node_id,
        threads: config.recovery_threads,
        handles: pagewire_log::Handles::new(net::open_files_max(&config)),
        now_ms: now_ms(),
    };
    let log_dirs = Arc::clone(&cluster.log_dirs);
    let (done, loaded) = oneshot::channel();
    let job = move || {
        let settings = |topic: &str, partition| known.settings(topic, partition);
        let taken = log_dirs.take_in(&path, &disk(), as_what(&path), options, &settings, &watch);
        if let Err(error) = &taken {
            log_dirs.note_away(&path, error);
        }
        // Whoever waited is gone only with the process.
        let _ = done.send(taken);
    };
    let refused = |why: &str| Refused::new(ErrorCode::KafkaStorageError, why);
    let thread = std::thread::Builder::new().name("pagewire-online".to_owned()).spawn(job);
    thread.map_err(|error| refused(&format!("no thread to open it: {error}")))?;
    let taken = loaded.await.map_err(|_| refused("opening it broke off"))?;
    Ok(taken?)
}

impl From<TakeInError> for Refused {
    fn from(error: TakeInError) -> Self {
        Self::new(ErrorCode::KafkaStorageError, error.to_string())
    }
}

impl Cluster {
    /// Whether a log is open that nobody sees: an attempt to show it ended before it had.
    pub(super) fn has_unshown(&self) -> bool {
        let is_open =
            |topic: &TopicEntry, index| self.log_dirs.topic_id(&topic.name, index) == Some(topic.id);
        self.image().topics().any(|topic| {
            let entries = (0..).zip(&topic.partitions);
            entries.into_iter().any(|(index, entry)| entry.hosted.is_none() && is_open(topic, index))
        })
    }

    pub(super) async fn topic_records(&self) -> Result<Vec<TopicRecord>, Refused> {
        Ok(self.catalog.topics().await?.0.into_iter().map(|(record, _)| record).collect())
    }
}

impl Change {
    /// Puts a loaded directory in its place, and brings it up to date with what happened while it was loaded. From then on
    /// nothing ends it half-way: what is shown by then would be served by logs that are given up.
    ///
    /// `empty`: what the directory held is lost, and is made anew.
    pub(super) async fn serve(
        &self,
        taken: TakenIn,
        least_epoch: i32,
        empty: bool,
    ) -> Result<Online, Refused> {
        let cluster = self.cluster();
        let topics = Arc::new(cluster.topic_records().await?);
        let unmade = if empty { None } else { Some(unmade(&cluster.catalog).await?) };
        let (dir, mut report) = cluster.log_dirs.serve(taken)?;
        self.drop_deleted(&dir, &topics, &report.loaded).await;
        self.remember(&dir).await;
        let moving = self.take_up_moves(&dir, &topics, &mut report).await;
        pass_over_away(&cluster.log_dirs, &topics, &mut report.failed);
        if let Some(unmade) = unmade {
            let (log_dirs, topics) = (Arc::clone(&cluster.log_dirs), Arc::clone(&topics));
            let look = to_its_end(move || look_for_missing(&log_dirs, &topics, &unmade));
            let missing = self.aside(look).await;
            report.failed.extend(missing.unwrap_or_default().gone);
        }
        // Those of other directories wait until somebody opens these: recovering them would keep the turn.
        let failed = report.failed.iter().map(|log| (log.topic.clone(), log.partition));
        let failed = failed.chain(cluster.log_dirs.unopened()).collect();
        let Shown { partitions, error, .. } = self.show(&topics, &failed, least_epoch).await;
        self.forget_behind_in(&dir, &topics).await;
        self.go_on_moving(moving).await;
        let (partitions, read_only) = self.apart(partitions);
        Ok(Online { partitions, read_only, report, trouble: error.map(|error| error.to_string()) })
    }

    /// Logs that had moved to the directory but for their names take these, and so do those of which it was not certain whether
    /// they had left it. Those that are to move to it are answered.
    async fn take_up_moves(
        &self,
        dir: &LogDir,
        topics: &Arc<Vec<TopicRecord>>,
        report: &mut LoadReport,
    ) -> Vec<(PathBuf, FutureLog)> {
        let log_dirs = &self.cluster().log_dirs;
        let (on_pool, path) = (Arc::clone(log_dirs), dir.path().to_path_buf());
        let listing = to_its_end(move || on_pool.futures_due(Some(&path)));
        let Some(futures) = self.aside(listing).await else { return Vec::new() };
        let known = Known::of(topics, &self.config());
        let (mut adopted, mut moving) = (Vec::new(), Vec::new());
        for (to, future) in futures {
            // Nobody waits for a topic of which nothing can become a log here.
            let is_placed = |directory| log_dirs.named_as(&to) == Some(directory);
            let is_due = log_dirs.topic_id(&future.topic, future.partition).is_none()
                && known.placed(topics, &future).is_some_and(|(_, directory)| is_placed(directory));
            let one = if is_due { self.take_up(&to, &future, dir.path()).await } else { None };
            match one {
                Some(one) => adopted.push(one),
                None => moving.push((to, future)),
            }
        }
        for one in adopted {
            let name = (one.future.topic, one.future.partition);
            report.failed.retain(|log| (&log.topic, log.partition) != (&name.0, name.1));
            match one.opened {
                Ok(opened) => report.loaded.extend(opened),
                Err(error) => tracing::error!(topic = name.0, partition = name.1, %error, "cannot be opened"),
            }
        }
        moving.retain(|(to, future)| to == dir.path() || !self.broker.moves().is_under_way(to, future));
        moving
    }

    /// The copy becomes the log, if nothing else is. Nothing of its topic changes meanwhile, nor does a switch make it that; all
    /// else may.
    async fn take_up(&self, to: &Path, future: &FutureLog, back: &Path) -> Option<Adopted> {
        let cluster = self.cluster();
        let _claim = self.claim_at_last(&future.topic).await;
        let (record, _) = cluster.catalog.topic(&future.topic).await.ok()??;
        let (log_dirs, records) = (Arc::clone(&cluster.log_dirs), [record]);
        let known = Known::of(&records, &self.config());
        let (to, future, back) = (to.to_path_buf(), future.clone(), back.to_path_buf());
        let taken_up = to_its_end(move || {
            let placed = |future: &FutureLog| known.placed(&records, future);
            log_dirs.adopt_future(&to, future, Some(&back), &placed, now_ms())
        });
        self.aside(taken_up).await?.ok()
    }

    /// Moves go on whose logs may be served by now.
    pub(super) async fn go_on_moving(&self, mut moving: Vec<(PathBuf, FutureLog)>) {
        moving.extend(self.broker.moves().take_put_off());
        if !moving.is_empty() {
            let broker = Arc::clone(&self.broker);
            // A note that is to be dropped waits for its disk.
            let _ = self.aside(to_its_end(move || moves::resume(&broker, moving))).await;
        }
    }

    /// Makes or opens what is not served of the directories that are here, and shows it.
    pub(crate) async fn show_missing(&self) -> Result<usize, Refused> {
        let (cluster, none) = (self.cluster(), HashSet::new());
        let topics = cluster.topic_records().await?;
        let shown = self.show(&topics, &none, cluster.identity.leader_epoch).await;
        self.go_on_moving(Vec::new()).await;
        self.forget_notes().await?;
        Ok(shown.partitions.len())
    }

    /// Makes what is missing of the directories that are here, and shows it: how many, and whether others still want room or file
    /// handles. What could not be opened is opened by others, who keep no turn for that.
    pub(crate) async fn make_missing(&self) -> Result<(usize, bool), Refused> {
        let cluster = self.cluster();
        let topics = cluster.topic_records().await?;
        let failed = cluster.log_dirs.unopened().into_iter().collect();
        let Shown { partitions, wants, .. } =
            self.show(&topics, &failed, cluster.identity.leader_epoch).await;
        self.go_on_moving(Vec::new()).await;
        self.forget_notes().await?;
        Ok((partitions.len(), wants))
    }

    /// Of `opened` partitions those of topics that were deleted while nobody could reach them.
    pub(super) async fn drop_deleted(&self, dir: &Arc<LogDir>, topics: &[TopicRecord], opened: &[LoadedLog]) {
        let known: HashMap<&str, (Uuid, usize)> = topics
            .iter()
            .map(|topic| (topic.name.as_str(), (topic.topic_id, topic.partitions.len())))
            .collect();
        let is_known = |topic: &str, partition: i32| {
            let count = known.get(topic).filter(|(id, _)| dir.topic_id(topic, partition) == Some(*id));
            count.is_some_and(|(_, count)| {
                usize::try_from(partition).is_ok_and(|partition| partition < *count)
            })
        };
        let gone: Vec<_> = opened
            .iter()
            .map(|log| (log.topic.clone(), log.partition))
            .filter(|(topic, partition)| !is_known(topic, *partition))
            .collect();
        let on_pool = Arc::clone(dir);
        let deleted = to_its_end(move || {
            for (topic, partition) in gone {
                if let Err(error) = on_pool.delete(&topic, partition, now_ms()) {
                    tracing::error!(%topic, partition, %error, "of a deleted topic, and could not be renamed");
                }
            }
        });
        if self.aside(deleted).await.is_none() {
            tracing::error!("logs of deleted topics are left for the next start");
            return;
        }
        self.aside(self.cluster().clean_up_again()).await;
    }

    /// Of `shown` partitions those that take records, and those that do not. Of a directory that is held they do so by themselves.
    pub(super) fn apart(&self, shown: Vec<Name>) -> (Vec<Name>, Vec<(Name, Offline)>) {
        let (cluster, image) = (self.cluster(), self.cluster().image());
        let is_held = cluster.log_dirs.here().any(|dir| dir.is_held());
        let why = |(topic, index): &Name| {
            let log = &image.topic(topic)?.hosted(*index)?.log;
            if is_held { log.offline_alone() } else { log.offline() }
        };
        let (mut served, mut read_only) = (Vec::new(), Vec::new());
        for name in shown {
            match why(&name) {
                Some(why) => read_only.push((name, why)),
                None => served.push(name),
            }
        }
        (served, read_only)
    }

    /// The path and the id of a directory that may be new there.
    async fn remember(&self, dir: &LogDir) {
        let cluster = self.cluster();
        let (Some(id), node_id) = (dir.directory_id(), cluster.identity.node_id) else { return };
        let remembered = async {
            let (mut served, version) = cluster.catalog.log_dirs(node_id).await?;
            if served.serve(&known_path(dir.path()), id) {
                cluster.catalog.replace_log_dirs(node_id, &served, version).await?;
            }
            Ok::<(), CatalogError>(())
        };
        if let Err(error) = remembered.await {
            tracing::warn!(%error, "which log directories are served could not be remembered; the next start tries again");
        }
    }
}
