//! Watches: the events of the window as a stream, and on from there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Inner;
use super::kind::Kind;
use super::object::Stored;
use super::refusal::{About, Cause, Refusal};
use super::request::{Form, Query};
use super::selector::Selector;
use super::state::{Event, Happening};
use super::table;
use crate::sandbox::fault::Point;

/// A quiet watch that wants bookmarks gets one so often.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// A watch ends after this time, where it does not say another.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// A watch that goes on.
pub(super) struct Watch {
    inner: Arc<Inner>,
    kind: Arc<Kind>,
    version: String,
    namespace: String,
    selector: Selector,
    form: Form,
    bookmarks: bool,
    /// What was sent so far.
    seen: u64,
    ready: VecDeque<String>,
    news: tokio::sync::watch::Receiver<u64>,
    ends: Instant,
    over: bool,
    /// A table's columns are told with its first row alone.
    columns_told: bool,
}

/// What a watch is of.
pub(super) struct Subject {
    pub(super) kind: Arc<Kind>,
    pub(super) version: String,
    pub(super) namespace: String,
    pub(super) form: Form,
}

impl Watch {
    /// Begins a watch.
    pub(super) fn begin(inner: &Arc<Inner>, subject: Subject, query: &Query) -> Result<Self, Refusal> {
        let selector = Selector::parse(query, subject.kind.namespaced, &subject.kind)?;
        let timeout = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        let initial = query
            .get("sendInitialEvents")
            .map(|_| query.is_set("sendInitialEvents"));
        if initial.is_some() && query.get("resourceVersionMatch") != Some("NotOlderThan") {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            let about = About {
                group: "meta.k8s.io",
                what: "ListOptions",
                name: "",
            };
            return Err(Refusal::invalid(
                about,
                vec![Cause::forbidden("resourceVersionMatch", why)],
            ));
        }
        let asked = match query.get("resourceVersion") {
            None => None,
            Some(text) => Some(text.parse::<u64>().map_err(|_| {
                let quoted = Value::from(text);
                Refusal::internal(format!(
                    "resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax"
                ))
            })?),
        };
        let state = inner.lock();
        let mut watch = Self {
            inner: Arc::clone(inner),
            kind: subject.kind,
            version: subject.version,
            namespace: subject.namespace,
            selector,
            form: subject.form,
            bookmarks: query.is_set("allowWatchBookmarks"),
            seen: state.revision,
            ready: VecDeque::new(),
            news: inner.news.subscribe(),
            ends: Instant::now() + timeout,
            over: false,
            columns_told: false,
        };
        // A watch from no version in particular begins with what is there, and is never too late.
        let begins_with_all = initial.unwrap_or(matches!(asked, None | Some(0)));
        if let Some(version) = asked.filter(|version| *version > 0 && !begins_with_all)
            && inner.faults.strikes(Point::WatchStale)
        {
            watch.expire(version, state.revision.max(version) + 1);
            return Ok(watch);
        }
        if begins_with_all {
            let all = state.as_of(&watch.kind.name, state.revision, None, &watch.namespace);
            for stored in all.unwrap_or_default() {
                if watch.selector.matches(&stored) {
                    watch.push("ADDED", &stored);
                }
            }
            if initial == Some(true) {
                watch.bookmark(true);
            }
        } else if let Some(version) = asked.filter(|version| *version > 0) {
            watch.seen = version;
            watch.catch_up(&state);
        }
        drop(state);
        Ok(watch)
    }

    /// The next lines; none where the watch is over.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                // Not the error that ends a watch anyway: of two faults only one would be seen.
                if self.ready.is_empty() && !self.over && self.inner.faults.strikes(Point::WatchDropped) {
                    self.over = true;
                    return None;
                }
                return Some(Bytes::from(line));
            }
            if self.over {
                return None;
            }
            let bookmark = Instant::now() + BOOKMARKS;
            let wake = if self.bookmarks {
                bookmark.min(self.ends)
            } else {
                self.ends
            };
            tokio::select! {
                changed = self.news.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                    let inner = Arc::clone(&self.inner);
                    let state = inner.lock();
                    self.catch_up(&state);
                }
                () = tokio::time::sleep_until(wake) => {
                    self.over = Instant::now() >= self.ends;
                    if self.bookmarks {
                        self.bookmark(false);
                    }
                }
            }
        }
    }

    /// Takes in what has happened since.
    fn catch_up(&mut self, state: &super::state::State) {
        let Some(events) = state.since(self.seen) else {
            self.expire(self.seen, state.compacted);
            return;
        };
        let events: Vec<Arc<Event>> = events.cloned().collect();
        for event in events {
            self.take(&event);
        }
        self.seen = self.seen.max(state.revision);
    }

    fn take(&mut self, event: &Event) {
        let here = self.namespace.is_empty() || event.object.key.namespace == self.namespace;
        if *event.resource != self.kind.name || !here {
            return;
        }
        let was = event
            .before
            .as_ref()
            .is_some_and(|before| self.selector.matches(before));
        let is = event.happening != Happening::Deleted && self.selector.matches(&event.object);
        match (was, is) {
            (false, false) => {}
            (false, true) => self.push("ADDED", &event.object),
            (true, true) => self.push("MODIFIED", &event.object),
            (true, false) if event.happening == Happening::Deleted => self.push("DELETED", &event.object),
            // It is there still, and no longer meant: what was known of it, at the version at which that ended.
            (true, false) => {
                if let Some(before) = &event.before {
                    let mut object = before.value(&self.kind);
                    object["metadata"]["resourceVersion"] = Value::from(event.revision.to_string());
                    self.push_value("DELETED", object);
                }
            }
        }
    }

    fn push(&mut self, happening: &str, stored: &Stored) {
        let Some(version) = self.kind.version(&self.version) else {
            return;
        };
        if self.form == Form::Json {
            let object = stored.text_at(&self.kind, version);
            self.ready
                .push_back(format!("{{\"type\":\"{happening}\",\"object\":{object}}}\n"));
        } else {
            let object = stored.at(&self.kind, version);
            self.push_value(happening, object);
        }
    }

    fn push_value(&mut self, happening: &str, object: Value) {
        let Some(version) = self.kind.version(&self.version) else {
            return;
        };
        let object = match self.form {
            Form::Table => {
                let now = self.inner.clock.now();
                let mut table = table::of(&self.kind, version, &[object], &json!({}), now);
                if self.columns_told {
                    table["columnDefinitions"] = Value::Null;
                }
                self.columns_told = true;
                table
            }
            Form::Metadata => table::partial(&object),
            Form::Json | Form::Aggregated(_) => object,
        };
        self.ready
            .push_back(format!("{}\n", json!({"type": happening, "object": object})));
    }

    fn bookmark(&mut self, initial: bool) {
        let mut object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(&self.version),
            "metadata": {"resourceVersion": self.seen.to_string()}});
        if initial {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.push_value("BOOKMARK", object);
    }

    fn expire(&mut self, asked: u64, oldest: u64) {
        let refusal = Refusal::expired(format!("too old resource version: {asked} ({oldest})"));
        let line = json!({"type": "ERROR", "object": refusal.status()});
        self.ready.push_back(format!("{line}\n"));
        self.over = true;
    }
}
