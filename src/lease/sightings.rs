//! Leases, and when each was last seen to change.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Record, View};

/// A Lease that was held by nobody for so many of its own lengths is nobody's any more.
const ABANDONED: u32 = 20;

/// What was seen of Leases.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<String, Sighting>,
    /// What was heard of them between two looks.
    heard: BTreeMap<String, Sighting>,
}

#[derive(Clone, Debug)]
struct Sighting {
    record: Record,
    /// When it was first seen as it is now.
    since: Duration,
}

/// What is to be done about a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is none: it is made.
    Create,
    /// It is ours already.
    Renew(Record),
    /// It is nobody's any more, or that of an earlier self.
    Take(Record),
    /// Somebody else holds it.
    Wait {
        /// Who.
        holder: String,
    },
}

impl Sightings {
    /// Takes in what a list shows, at the moment at which its answer was there.
    pub fn observe(&mut self, records: Vec<Record>, now: Duration) {
        let mut before = std::mem::take(&mut self.seen);
        for record in records {
            let known = before.remove(&record.name).filter(|known| known.is_same(&record));
            let heard = self.heard.get(&record.name).filter(|heard| heard.is_same(&record));
            let since = known.as_ref().or(heard).map_or(now, |known| known.since);
            self.seen.insert(record.name.clone(), Sighting { record, since });
        }
        self.heard.retain(|name, _| self.seen.contains_key(name));
    }

    /// Takes in what is heard of a Lease, at the moment at which that came. It is only ever the date of what a list shows:
    /// nothing is judged by what was heard alone.
    pub fn hear(&mut self, record: Record, now: Duration) {
        let known = self.heard.get(&record.name);
        if !known.is_some_and(|known| known.is_same(&record)) {
            self.heard.insert(record.name.clone(), Sighting { record, since: now });
        }
    }

    /// When the next Lease of others is over, unless its holder is heard of before.
    pub fn next_end(&self, me: &str, now: Duration) -> Option<Duration> {
        let ends = self.seen.iter().filter_map(|(name, seen)| {
            let heard = self.heard.get(name).filter(|heard| heard.since > seen.since);
            let latest = heard.unwrap_or(seen);
            let holder = latest.record.holder.as_deref()?;
            (holder != me).then_some(latest.since + latest.record.duration)
        });
        ends.filter(|end| *end > now).min()
    }

    /// Takes in what a write of our own came to.
    pub fn note(&mut self, record: Record, now: Duration) {
        self.seen.insert(record.name.clone(), Sighting { record, since: now });
    }

    /// A Lease, whoever holds it.
    pub fn get(&self, name: &str) -> Option<&Record> {
        self.seen.get(name).map(|seen| &seen.record)
    }

    /// What is to be done about a Lease by one who calls itself `me`, and whose earlier selves begin with `base`.
    pub fn turn(&self, name: &str, (base, me): (&str, &str), now: Duration) -> Turn {
        let Some(seen) = self.seen.get(name) else {
            return Turn::Create;
        };
        match seen.holder(now) {
            Some(holder) if holder == me => Turn::Renew(seen.record.clone()),
            Some(holder) if !holder.starts_with(base) => Turn::Wait {
                holder: holder.to_owned(),
            },
            _ => Turn::Take(seen.record.clone()),
        }
    }

    /// Who is there now; whoever holds the Lease of this name has all.
    pub fn view(&self, whole: &str, now: Duration) -> View {
        let mut view = View::default();
        for seen in self.seen.values() {
            let Some(holder) = seen.holder(now) else { continue };
            if seen.record.name == whole {
                view.whole = Some(holder.to_owned());
            } else {
                view.members.insert(holder.to_owned());
            }
        }
        view
    }

    /// Those of a view who do not say yet that they act on it.
    pub fn behind(&self, view: &View) -> Vec<&str> {
        let digest = view.digest();
        let holder = |seen: &'_ Sighting| seen.record.holder.clone();
        let members = self
            .seen
            .values()
            .filter(|seen| holder(seen).is_some_and(|holder| view.members.contains(&holder)));
        members
            .filter(|seen| seen.record.view.as_deref() != Some(&digest))
            .filter_map(|seen| seen.record.holder.as_deref())
            .collect()
    }

    /// What all of a view say that they have done their share of; none where they don't say the same.
    pub fn looked(&self, view: &View) -> Option<&str> {
        let is_member = |seen: &&Sighting| {
            let holder = seen.record.holder.as_ref();
            holder.is_some_and(|holder| view.members.contains(holder))
        };
        let mut words = self
            .seen
            .values()
            .filter(is_member)
            .map(|seen| seen.record.looked.as_deref());
        let first = words.next()??;
        words.all(|word| word == Some(first)).then_some(first)
    }

    /// Leases of members that have not been held for long: what is left of processes that died.
    pub fn abandoned(&self, whole: &str, now: Duration) -> impl Iterator<Item = &Record> {
        self.seen
            .values()
            .filter(move |seen| seen.record.name != whole)
            .filter(move |seen| now >= seen.since + seen.record.duration * ABANDONED)
            .map(|seen| &seen.record)
    }
}

impl Sighting {
    /// Whether a record says nothing new of its holder.
    fn is_same(&self, record: &Record) -> bool {
        let said = |record: &Record| (record.uid.clone(), record.holder.clone(), record.renewed.clone());
        said(&self.record) == said(record)
    }

    fn holder(&self, now: Duration) -> Option<&str> {
        let over = now >= self.since + self.record.duration;
        self.record.holder.as_deref().filter(|_| !over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lease(name: &str, holder: &str, renewed: &str) -> Record {
        Record {
            name: name.to_owned(),
            uid: name.to_owned(),
            version: renewed.to_owned(),
            holder: (!holder.is_empty()).then(|| holder.to_owned()),
            duration: at(15),
            renewed: renewed.to_owned(),
            transitions: 0,
            view: None,
            looked: None,
        }
    }

    fn seen(observations: &[(Record, u64)]) -> Sightings {
        let mut sightings = Sightings::default();
        for (record, when) in observations {
            sightings.observe(vec![record.clone()], at(*when));
        }
        sightings
    }

    fn turn(sightings: &Sightings, now: u64) -> Turn {
        sightings.turn("l", ("me", "me-1"), at(now))
    }

    #[test]
    fn a_holder_is_judged_by_when_its_lease_was_last_seen_to_change_and_by_no_time_that_it_wrote() {
        // What it wrote may be of yesterday or of tomorrow.
        for written in ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"] {
            let there = seen(&[(lease("l", "other", written), 100), (lease("l", "other", written), 112)]);
            assert_eq!(
                turn(&there, 114),
                Turn::Wait {
                    holder: "other".to_owned()
                }
            );
            assert!(matches!(turn(&there, 115), Turn::Take(_)));
        }
        let renewed = seen(&[(lease("l", "other", "a"), 100), (lease("l", "other", "b"), 112)]);
        assert!(matches!(turn(&renewed, 126), Turn::Wait { .. }));
        assert!(matches!(turn(&renewed, 127), Turn::Take(_)));
    }

    #[test]
    fn a_version_that_moved_without_its_holder_keeps_nobody_alive() {
        let mut touched = lease("l", "other", "a");
        touched.version = "9".to_owned();
        let there = seen(&[(lease("l", "other", "a"), 100), (touched, 112)]);
        assert!(matches!(turn(&there, 115), Turn::Take(record) if record.version == "9"));
    }

    #[test]
    fn a_lease_is_over_its_own_length_after_it_was_heard_of_and_not_after_it_was_looked_at() {
        let mut sightings = seen(&[(lease("l", "other", "a"), 100)]);
        assert_eq!(sightings.next_end("me-1", at(101)), Some(at(115)));
        assert_eq!(sightings.next_end("other", at(101)), None, "one's own");
        sightings.hear(lease("l", "other", "b"), at(104));
        assert_eq!(sightings.next_end("me-1", at(105)), Some(at(119)));
        // The same once more, as a watch that begins anew tells it.
        sightings.hear(lease("l", "other", "b"), at(106));
        sightings.observe(vec![lease("l", "other", "b")], at(107));
        assert!(matches!(turn(&sightings, 118), Turn::Wait { .. }));
        assert!(matches!(turn(&sightings, 119), Turn::Take(_)));
        assert_eq!(sightings.next_end("me-1", at(119)), None);
        // What was heard is no sight: a list that shows another has the last word.
        let mut ahead = seen(&[(lease("l", "other", "a"), 100)]);
        ahead.hear(lease("l", "", "b"), at(101));
        assert!(matches!(turn(&ahead, 102), Turn::Wait { .. }));
        ahead.observe(vec![lease("l", "other", "c")], at(103));
        assert!(matches!(turn(&ahead, 117), Turn::Wait { .. }));
    }

    #[test]
    fn what_is_free_is_taken_at_once_and_what_is_ours_renewed() {
        assert_eq!(turn(&Sightings::default(), 0), Turn::Create);
        assert!(matches!(turn(&seen(&[(lease("l", "", "a"), 0)]), 0), Turn::Take(_)));
        assert!(matches!(
            turn(&seen(&[(lease("l", "me-1", "a"), 0)]), 1),
            Turn::Renew(_)
        ));
        // An earlier self has stopped writing; nobody else can be at it.
        assert!(matches!(turn(&seen(&[(lease("l", "me-0", "a"), 0)]), 1), Turn::Take(_)));
        // One that lapsed in our own eyes is no more ours than another's.
        assert!(matches!(
            turn(&seen(&[(lease("l", "me-1", "a"), 0)]), 15),
            Turn::Take(_)
        ));
    }

    #[test]
    fn what_all_of_a_view_say_is_what_each_of_them_says() {
        let says = |holder: &str, word: Option<&str>| Record {
            looked: word.map(str::to_owned),
            ..lease(holder, holder, "x")
        };
        let looked = |records: Vec<Record>, members: &[&str]| {
            let mut sightings = Sightings::default();
            sightings.observe(records, at(0));
            let members = members.iter().map(|name| (*name).to_owned()).collect();
            let view = View { whole: None, members };
            sightings.looked(&view).map(str::to_owned)
        };
        let (a, b, silent) = (says("a", Some("t")), says("b", Some("t")), says("b", None));
        assert_eq!(looked(vec![a.clone(), b], &["a", "b"]).as_deref(), Some("t"));
        assert_eq!(looked(vec![a.clone(), silent.clone()], &["a", "b"]), None);
        assert_eq!(looked(vec![silent, a.clone()], &["a"]).as_deref(), Some("t"));
        assert_eq!(looked(vec![a.clone(), says("b", Some("u"))], &["a", "b"]), None);
        assert_eq!(looked(vec![a], &[]), None);
    }

    #[test]
    fn a_view_holds_the_living_and_tells_who_is_behind() {
        let mut sightings = Sightings::default();
        let mut acknowledged = lease("b", "b-0", "x");
        sightings.observe(vec![lease("a", "a-0", "x"), acknowledged.clone()], at(0));
        acknowledged.renewed = "y".to_owned();
        sightings.observe(vec![lease("a", "a-0", "x"), acknowledged.clone()], at(10));
        let both = sightings.view("w", at(14));
        assert_eq!(both.members.iter().collect::<Vec<_>>(), ["a-0", "b-0"]);
        let one = sightings.view("w", at(15));
        assert_eq!(one.members.iter().collect::<Vec<_>>(), ["b-0"]);
        assert_eq!(sightings.behind(&one), ["b-0"]);
        acknowledged.view = Some(one.digest());
        sightings.observe(
            vec![lease("a", "a-0", "x"), acknowledged, lease("w", "w-0", "x")],
            at(16),
        );
        assert!(sightings.behind(&one).is_empty());
        assert_eq!(sightings.view("w", at(16)).whole.as_deref(), Some("w-0"));
        assert_eq!(
            sightings
                .abandoned("w", at(300))
                .map(|record| &record.name)
                .collect::<Vec<_>>(),
            ["a"]
        );
    }
}
