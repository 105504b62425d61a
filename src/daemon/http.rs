//! `/livez`, `/readyz`, `/status` and `/metrics`: read-only, for probes, people and Prometheus.

use std::sync::Arc;

use ::http::{Method, StatusCode, header};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::board::{Board, Report};
use super::telemetry::Telemetry;
use crate::http_server::{Api, Request, Response, full};
use crate::redact::redacted;

/// A loop that has not come round for so long hangs.
const HANGS: SignedDuration = SignedDuration::from_secs(120);

/// The daemon's own API.
pub(super) struct Probes {
    /// What it shows.
    pub(super) board: Arc<Board>,
    /// What it measured.
    pub(super) telemetry: Arc<Telemetry>,
}

impl Api for Probes {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let report = self.board.report().clone();
        let (status, kind, body) = match request.uri().path() {
            "/metrics" if is_read(request.method()) => (StatusCode::OK, METRICS, self.telemetry.text(&report)),
            path => answer(request.method(), path, &report, Timestamp::now()),
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

fn answer(method: &Method, path: &str, report: &Report, now: Timestamp) -> (StatusCode, &'static str, String) {
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
        "/livez" => told(hangs(report, now)),
        "/readyz" => told(hangs(report, now).or_else(|| is_not_ready(report))),
        "/status" => match serde_json::to_string_pretty(report) {
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

    fn code(path: &str, report: &Report, now: Timestamp) -> u16 {
        answer(&Method::GET, path, report, now).0.as_u16()
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
            answer(&Method::POST, "/status", &report, Timestamp::UNIX_EPOCH)
                .0
                .as_u16(),
            405
        );
        assert_eq!(code("/nothing", &report, Timestamp::UNIX_EPOCH), 404);
    }
}
