//! What consumers of committed records polled: from where they began, what is committed there, one after the other.

use std::collections::BTreeSet;

use super::{Anomalies, End, Found, Kind, Stored};
use crate::parts::transactions::history::{History, Session};
use crate::parts::transactions::model::{At, Place, Value};

pub(super) fn check(history: &History, found: &Found, anomalies: &mut Anomalies) {
    for session in &history.sessions {
        for (place, start) in &session.starts {
            in_one(session, *place, *start, found, anomalies);
        }
        for ((place, offset), value) in &session.polled {
            if session.is_shared {
                is_visible(session, ((*place, *offset), *value), found, anomalies);
            } else if !session.starts.contains_key(place) {
                let what =
                    format!("{} polled {value} at {place}:{offset}, which it did not ask", name(session));
                anomalies.add(Kind::Invented, what);
            }
        }
    }
}

fn name(session: &Session) -> String {
    format!("{}/{}", session.who.client, session.who.instance)
}

fn in_one(session: &Session, place: Place, start: i64, found: &Found, anomalies: &mut Anomalies) {
    let visible: Vec<&Stored> = found.visible_at(place).filter(|stored| stored.offset >= start).collect();
    let (mut next, mut polled) = (0, BTreeSet::new());
    let here = session.polled.iter().filter(|((at, _), _)| *at == place);
    for ((_, offset), value) in here {
        let told = || format!("{} polled {value} at {place}:{offset}", name(session));
        let at = visible.iter().position(|stored| (stored.offset, stored.value) == (*offset, *value));
        let Some(at) = at else {
            let (kind, there) = not_visible(found, place, *offset, *value);
            anomalies.add(kind, format!("{}, where {there} stands", told()));
            continue;
        };
        if !polled.insert(*offset) {
            anomalies.add(Kind::Duplicate, format!("{} again", told()));
        } else if at < next {
            anomalies.add(Kind::Disordered, format!("{} behind what stands after it", told()));
        } else {
            passed_over(visible.get(next..at), &told(), anomalies);
            next = at + 1;
        }
    }
    if session.is_whole {
        passed_over(visible.get(next..), &format!("{} came to the end of {place}", name(session)), anomalies);
    }
}

/// What a consumer that shares its group polled is committed, wherever that was.
fn is_visible(
    session: &Session,
    ((place, offset), value): (At, Value),
    found: &Found,
    anomalies: &mut Anomalies,
) {
    if !found.visible_at(place).any(|stored| (stored.offset, stored.value) == (offset, value)) {
        let (kind, there) = not_visible(found, place, offset, value);
        let told = format!("{} polled {value} at {place}:{offset}, where {there} stands", name(session));
        anomalies.add(kind, told);
    }
}

/// What is there instead of a committed record.
fn not_visible(found: &Found, place: Place, offset: i64, value: Value) -> (Kind, String) {
    let mut log = found.logs.get(&place).into_iter().flatten();
    match log.find(|stored| stored.offset == offset) {
        Some(stored) if stored.value == value && stored.end != End::Commit => {
            (Kind::AbortedRead, format!("{:?}", stored.end))
        }
        Some(stored) => (Kind::Invented, stored.value.to_string()),
        None => (Kind::LostWrite, "nothing".to_owned()),
    }
}

fn passed_over(stored: Option<&[&Stored]>, told: &str, anomalies: &mut Anomalies) {
    if let Some([first, ..]) = stored {
        let what = format!("{told} without {} at {}", first.value, first.offset);
        anomalies.add(Kind::Skipped, what);
    }
}
