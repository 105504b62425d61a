//! `/livez`, `/readyz`, `/status` and `/metrics`: read-only, for probes, people and Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::{Method, StatusCode, header};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Options;
use super::board::{Board, Report};
use super::telemetry::{Telemetry, record_process};
use crate::http_server::{Api, Request, Response, full};
use crate::metrics::{Registry, text_of};
use crate::redact::redacted;

/// A loop that has not come round for so long hangs.
const HANGS: SignedDuration = SignedDuration::from_secs(120);

/// What is shown of a fleet.
pub struct ShownFleet {
    /// What it is called; none where it is the only one.
    pub name: Option<String>,
    /// How it stands.
    pub board: Arc<Board>,
    /// What was measured of it.
    pub telemetry: Arc<Telemetry>,
}

/// What is shown.
pub struct Shown {
    /// Each fleet.
    pub fleets: Vec<ShownFleet>,
    /// What is measured of the process; the only fleet's own registry where that has no name.
    pub process: Arc<Registry>,
}

impl Shown {
    /// What daemons of these options have to show.
    pub fn of(fleets: &[Options], process: Arc<Registry>) -> Self {
        let shown = |options: &Options| ShownFleet {
            name: options.name.clone(),
            board: options.board.clone(),
            telemetry: options.telemetry.clone(),
        };
        Self {
            fleets: fleets.iter().map(shown).collect(),
            process,
        }
    }

    fn metrics(&self, reports: &[Named]) -> String {
        for (fleet, (_, report)) in self.fleets.iter().zip(reports) {
            fleet.telemetry.record(report);
        }
        record_process(&self.process);
        let named = self.fleets.iter().filter(|fleet| fleet.name.is_some());
        let parts = named.map(|fleet| (fleet.name.as_deref(), &**fleet.telemetry.registry()));
        text_of(&parts.chain([(None, &*self.process)]).collect::<Vec<_>>())
    }
}

/// A fleet's report.
type Named = (Option<String>, Report);

/// The daemon's own API.
pub(super) struct Probes(pub(super) Shown);

impl Api for Probes {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let fleets = self.0.fleets.iter();
        let reports: Vec<Named> = fleets
            .map(|fleet| (fleet.name.clone(), fleet.board.report().clone()))
            .collect();
        let (status, kind, body) = match request.uri().path() {
            "/metrics" if is_read(request.method()) => (StatusCode::OK, METRICS, self.0.metrics(&reports)),
            path => answer(request.method(), path, &reports, Timestamp::now()),
        };
        let mut response = Response::new(full(body));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        std::future::ready(response).boxed()
    }
}

/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

fn answer(method: &Method, path: &str, reports: &[Named], now: Timestamp) -> (StatusCode, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !is_read(method) {
        return (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
    }
    let told = |problem: Option<String>| match problem {
        None => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        Some(problem) => (
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            format!("{}\n", redacted(&problem)),
        ),
    };
    match path {
        "/livez" => told(of_any(reports, |report| hangs(report, now))),
        "/readyz" => told(of_any(reports, |report| {
            hangs(report, now).or_else(|| is_not_ready(report))
        })),
        "/status" => match status(reports) {
            Ok(text) => (StatusCode::OK, "application/json", redacted(&text).into_owned()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        _ => (
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /livez, /readyz, /status and /metrics\n".to_owned(),
        ),
    }
}

/// What is wrong with any of the fleets, a line for each.
fn of_any(reports: &[Named], wrong: impl Fn(&Report) -> Option<String>) -> Option<String> {
    let line = |(name, report): &Named| {
        let problem = wrong(report)?;
        Some(match name {
            Some(name) => format!("{name}: {problem}"),
            None => problem,
        })
    };
    let lines: Vec<String> = reports.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The report on the only fleet, or those on all by their names.
fn status(reports: &[Named]) -> serde_json::Result<String> {
    match reports {
        [(None, report)] => serde_json::to_string_pretty(report),
        reports => {
            let named = reports
                .iter()
                .filter_map(|(name, report)| Some((name.as_ref()?, report)));
            serde_json::to_string_pretty(&json!({"fleets": named.collect::<BTreeMap<_, _>>()}))
        }
    }
}

fn hangs(report: &Report, now: Timestamp) -> Option<String> {
    let alive = report.alive?;
    (now.duration_since(alive) > HANGS).then(|| format!("the loop has not come round since {alive}"))
}

fn is_not_ready(report: &Report) -> Option<String> {
    match (&report.revision, report.caught_up) {
        (None, _) => Some(match &report.source_error {
            Some(error) => format!("no revision has loaded yet: {error}"),
            None => "no revision has loaded yet".to_owned(),
        }),
        (Some(_), false) => {
            const WAITS: &str = "not every unit has been looked at yet";
            let failed = report.units.values().find_map(|unit| unit.error.as_ref());
            Some(failed.map_or_else(|| WAITS.to_owned(), |error| format!("{WAITS}: {error}")))
        }
        (Some(_), true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Revision;

    fn alone(report: &Report) -> Vec<Named> {
        vec![(None, report.clone())]
    }

    fn code(path: &str, report: &Report, now: Timestamp) -> u16 {
        answer(&Method::GET, path, &alone(report), now).0.as_u16()
    }

    #[test]
    fn of_several_fleets_those_that_are_not_ready_are_named_and_each_has_its_status() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1000);
        let good = Report {
            alive: Some(now),
            revision: Some(Revision::new("r")),
            caught_up: true,
            ..Report::default()
        };
        let bad = Report {
            alive: Some(now),
            source_error: Some("nobody answers".to_owned()),
            ..Report::default()
        };
        let named = |name: &str, report: &Report| (Some(name.to_owned()), report.clone());
        let asked = |path: &str, reports: &[Named]| {
            let (code, _, text) = answer(&Method::GET, path, reports, now);
            (code.as_u16(), text)
        };
        let both = [named("a", &good), named("b", &bad)];
        let text = "b: no revision has loaded yet: nobody answers\n".to_owned();
        assert_eq!(asked("/readyz", &both), (503, text));
        assert_eq!(asked("/livez", &both).0, 200);
        assert_eq!(asked("/readyz", &[named("a", &good), named("b", &good)]).0, 200);
        let status: serde_json::Value = serde_json::from_str(&asked("/status", &both).1).unwrap();
        assert_eq!(status["fleets"]["a"]["revision"], "r");
        assert_eq!(status["fleets"]["b"]["sourceError"], "nobody answers");
    }

    #[test]
    fn ready_means_that_everything_was_looked_at_and_live_that_the_loop_goes_round() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1000);
        let mut report = Report {
            alive: Some(now),
            ..Report::default()
        };
        assert_eq!(
            (code("/livez", &report, now), code("/readyz", &report, now)),
            (200, 503)
        );
        report.revision = Some(Revision::new("r"));
        assert_eq!(code("/readyz", &report, now), 503);
        report.caught_up = true;
        assert_eq!(code("/readyz", &report, now), 200);
        let later = now + SignedDuration::from_secs(121);
        assert_eq!(
            (code("/livez", &report, later), code("/readyz", &report, later)),
            (503, 503)
        );
    }

    #[test]
    fn nothing_is_changed_by_it() {
        let report = Report::default();
        assert_eq!(
            answer(&Method::POST, "/status", &alone(&report), Timestamp::UNIX_EPOCH)
                .0
                .as_u16(),
            405
        );
        assert_eq!(code("/nothing", &report, Timestamp::UNIX_EPOCH), 404);
    }
}
