//! `reconcile`.

use std::time::Duration;

use super::args::{Global, duration};
use super::ask_args::AskArgs;
use super::{Exit, Printer, common};
use crate::ops::{self, Answer, Told};
use crate::sync::{FleetSync, Truth, UnitSync};

/// Have the daemon look at its source and at a cluster, or at everything, at once
///
/// Sets an annotation on the ClusterSync (or FleetStatus) that the daemon watches, and waits until it has looked and what
/// that began is at its end. Exits with 0 where all is then in sync or drift is only reported, with 3 where something is
/// refused or suspended, with 1 where something failed or waits, or no daemon answers in time.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ask: AskArgs,

    /// Don't wait for the answer
    #[arg(long)]
    no_wait: bool,

    /// How long the answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    timeout: Duration,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    let (loaded, access) = args.ask.open(printer, &runtime)?;
    let patience = (!args.no_wait).then_some(args.timeout);
    let mut exit = Exit::Done;
    for meant in args.ask.meant() {
        let progress = |line: &str| printer.note(line);
        let answers = runtime.block_on(ops::reconcile(&loaded, &access, &meant, patience, &progress))?;
        for answer in answers {
            let (line, one) = judge(&answer, args.timeout);
            printer.data(&format!("{} on {}: {line}\n", answer.object, answer.on))?;
            exit = worse(exit, one);
        }
    }
    runtime.block_on(access.close())?;
    Ok(exit)
}

/// Errors are worse than refusals.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Error, _) | (_, Exit::Error) => Exit::Error,
        (Exit::Refused, _) | (_, Exit::Refused) => Exit::Refused,
        _ => Exit::Done,
    }
}

fn judge(answer: &Answer, timeout: Duration) -> (String, Exit) {
    match &answer.told {
        Told::Asked => ("asked".to_owned(), Exit::Done),
        Told::Silence => (
            format!(
                "no answer within {}s: is a daemon running, and does it follow this management cluster?",
                timeout.as_secs()
            ),
            Exit::Error,
        ),
        Told::Unit(status) => (of_unit(status), unit_exit(status)),
        Told::Fleet(status) => (of_fleet(status), fleet_exit(status)),
    }
}

fn of_unit(status: &UnitSync) -> String {
    let revision = status.observed_revision.as_deref().unwrap_or("no revision");
    format!("{}, at {revision}: {}", status.state, status.message)
}

fn unit_exit(status: &UnitSync) -> Exit {
    let is_ready = status
        .conditions
        .iter()
        .any(|condition| condition.kind == "Ready" && condition.status == Truth::True);
    match status.state.as_str() {
        _ if is_ready => Exit::Done,
        "Drifted" => Exit::Done,
        "Refused" | "Suspended" => Exit::Refused,
        _ => Exit::Error,
    }
}

fn of_fleet(status: &FleetSync) -> String {
    let units = &status.units;
    let revision = status.revision.as_deref().unwrap_or("no revision");
    let mut line = format!(
        "{} of {} units in sync, {} drifted, {} refused, {} waiting, {} suspended, {} failed, at {revision}",
        units.ready, units.total, units.drifted, units.refused, units.waiting, units.suspended, units.failed
    );
    if let Some(error) = &status.last_error {
        line.push_str("; what the source holds does not come into force: ");
        line.push_str(&error.message);
    }
    line
}

fn fleet_exit(status: &FleetSync) -> Exit {
    let units = &status.units;
    if status.last_error.is_some() || units.failed + units.waiting + units.reconciling > 0 {
        Exit::Error
    } else if units.refused + units.suspended > 0 {
        Exit::Refused
    } else if units.ready + units.drifted >= units.total {
        Exit::Done
    } else {
        Exit::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Condition, UnitCounts};

    #[test]
    fn exit_codes_follow_what_came_of_it() {
        let unit = |state: &str, ready| UnitSync {
            state: state.to_owned(),
            conditions: vec![Condition {
                kind: "Ready".to_owned(),
                status: Truth::from(ready),
                ..Condition::default()
            }],
            ..UnitSync::default()
        };
        assert_eq!(unit_exit(&unit("InSync", true)), Exit::Done);
        assert_eq!(unit_exit(&unit("Drifted", false)), Exit::Done);
        assert_eq!(unit_exit(&unit("Suspended", true)), Exit::Done);
        assert_eq!(unit_exit(&unit("Suspended", false)), Exit::Refused);
        assert_eq!(unit_exit(&unit("Waiting", false)), Exit::Error);
        let fleet = |ready, suspended, failed| FleetSync {
            units: UnitCounts {
                total: 2,
                ready,
                suspended,
                failed,
                ..UnitCounts::default()
            },
            ..FleetSync::default()
        };
        assert_eq!(fleet_exit(&fleet(2, 0, 0)), Exit::Done);
        assert_eq!(fleet_exit(&fleet(1, 1, 0)), Exit::Refused);
        assert_eq!(fleet_exit(&fleet(0, 1, 1)), Exit::Error);
        assert_eq!(fleet_exit(&fleet(1, 0, 0)), Exit::Error);
        // One that waits is told of so, whether it has drifted besides or not.
        let mut waits = fleet(1, 0, 0);
        (waits.units.waiting, waits.units.drifted) = (1, 1);
        assert_eq!(fleet_exit(&waits), Exit::Error);
        assert!(of_fleet(&waits).contains("1 waiting"), "{}", of_fleet(&waits));
    }
}
