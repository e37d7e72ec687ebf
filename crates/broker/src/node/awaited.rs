//! For which log directory a start waits: said when that takes long, and once more when it is over. A disk that does not
//! answer holds up the start, and who looks at it should know which one it is.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tracing::{info, warn};

/// Between two looks at where the start is.
const EVERY: Duration = Duration::from_secs(5);

/// The directories that are being looked at, and since when.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Arc<Mutex<Vec<(PathBuf, Instant)>>>);

/// A directory is looked at until this is dropped.
pub(super) struct Looking<'a>(&'a Awaited, &'a Path);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.0.lock().retain(|(dir, _)| dir != self.1);
    }
}

impl Awaited {
    pub(super) fn look<'a>(&'a self, dir: &'a Path) -> Looking<'a> {
        self.0.lock().push((dir.to_path_buf(), Instant::now()));
        Looking(self, dir)
    }

    /// Those that are waited for, for at least so long.
    fn longer_than(&self, time: Duration) -> Vec<PathBuf> {
        let all = self.0.lock();
        all.iter().filter(|(_, since)| since.elapsed() >= time).map(|(dir, _)| dir.clone()).collect()
    }

    /// Waits for `work`, which looks at directories, and says for which of them.
    pub(super) async fn told<T>(&self, work: impl Future<Output = T>) -> T {
        let mut every = interval_at(Instant::now() + EVERY, EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut work, mut told) = (pin!(work), Vec::new());
        loop {
            select! {
                done = &mut work => {
                    tell(&mut told, Vec::new());
                    return done;
                }
                _ = every.tick() => tell(&mut told, self.longer_than(EVERY)),
            }
        }
    }
}

/// Tells which directories are waited for that were not before, and the other way round.
fn tell(told: &mut Vec<PathBuf>, now: Vec<PathBuf>) {
    let (begun, over) = news(told, &now);
    for dir in begun {
        warn!(
            dir = %dir.display(),
            "the start waits for the log directory: its disk has not answered so far. It goes on when the disk answers; if that is \
             broken, start without that directory"
        );
    }
    for dir in over {
        info!(dir = %dir.display(), "the disk of the log directory has answered: the start goes on");
    }
    *told = now;
}

fn news<'p>(told: &'p [PathBuf], now: &'p [PathBuf]) -> (Vec<&'p PathBuf>, Vec<&'p PathBuf>) {
    let begun = now.iter().filter(|dir| !told.contains(dir)).collect();
    (begun, told.iter().filter(|dir| !now.contains(dir)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_is_waited_for_is_said_once_and_when_it_has_answered() {
        let (awaited, one, two) = (Awaited::default(), PathBuf::from("/one"), PathBuf::from("/two"));
        let first = awaited.look(&one);
        assert!(awaited.longer_than(EVERY).is_empty());
        tokio::time::advance(EVERY).await;
        let second = awaited.look(&two);
        assert_eq!(awaited.longer_than(EVERY), std::slice::from_ref(&one));
        tokio::time::advance(EVERY).await;
        drop(first);
        let now = awaited.longer_than(EVERY);
        assert_eq!(now, std::slice::from_ref(&two));
        let told = [one.clone()];
        assert_eq!(news(&told, &now), (vec![&two], vec![&one]));
        assert_eq!(news(&now, &now), (vec![], vec![]));
        drop(second);
        assert!(awaited.longer_than(Duration::ZERO).is_empty());
    }
}
