//! `apply`.

use crate::plan::ignore::Contested;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::args::{FleetArgs, Format, Global, TargetArgs, duration};
use super::progress::Progress;
use super::{Exit, Printer, common, lease_args};
use crate::apply::{ChangeResult, Options, Outcome};
use crate::ops::{self, Planned, lease};
use crate::plan::change::{Action, Change};
use crate::plan::saved::{Moved, SavedPlan};
use crate::providers::fence::Fence;
use crate::report::json;
use crate::report::plan_text::PlanText;

/// A control plane that is on its way is looked at again so soon.
const BETWEEN_STEPS: Duration = Duration::from_secs(15);

/// Make the live state what the fleet files say
///
/// Shows the plan, asks, and does what the plan says, in order: what others need first, deletes last and in reverse.
/// Killed anywhere, the next run converges.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A plan that `plan --out` kept: just that is done, without asking, or, where anything has moved since, nothing
    #[arg(value_name = "PLAN", conflicts_with_all =
        ["cluster", "environment", "provider", "management_cluster", "adopt", "even_suspended"])]
    plan: Option<PathBuf>,

    /// Refuse a PLAN unless PLAN.sig is a signature of it by one of these (OpenSSH's allowed_signers)
    ///
    /// `ssh-keygen -Y sign -n fleetwright-plan -f KEY PLAN` writes it.
    #[arg(long, value_name = "FILE", requires = "plan")]
    require_signature: Option<PathBuf>,

    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Don't ask
    #[arg(long, short)]
    yes: bool,

    /// Take over objects that someone else made
    #[arg(long)]
    adopt: bool,

    /// Change what is suspended too
    #[arg(long)]
    even_suspended: bool,

    /// Do what no guard refuses, although some guard refuses something
    #[arg(long)]
    keep_going: bool,

    /// Wait until everything written is ready, and take the further steps of upgrades [default when given without a value: 30m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "30m",
          value_parser = duration)]
    wait: Option<Duration>,

    /// How long to wait for the leases that daemons of this fleet hold; 0s: apply without them, whoever else is at it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    lease_timeout: Duration,

    /// Changes under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = common::load(&args.fleet, printer)?;
    loaded.is_pinned()?;
    // One runtime for both: the plan's connections live in it.
    let runtime = common::runtime()?;
    let saved = match &args.plan {
        Some(path) => Some(saved(path, args, &loaded, printer)?),
        None => None,
    };
    let saved = match saved {
        Some(Err(exit)) => return Ok(exit),
        Some(Ok(saved)) => Some(saved),
        None => None,
    };
    let options = ops::PlanOptions {
        against: ops::Against::Live(Box::new(common::access(&args.target, Some(&loaded), &runtime)?)),
        scope: ops::Scope {
            units: saved.as_ref().map(SavedPlan::scope),
            ..common::scope(&args.fleet, &args.target)
        },
        contested: Contested::new(),
        adopt: args.adopt || saved.as_ref().is_some_and(|saved| saved.allowed.adopt),
        even_suspended: args.even_suspended || saved.as_ref().is_some_and(|saved| saved.allowed.even_suspended),
        now: common::now(),
    };
    let planned = runtime.block_on(ops::plan(&loaded, &options));
    let mut planned = planned.inspect_err(|_| common::say_faults(options.against.sandbox(), printer))?;
    if let Some(saved) = &saved {
        let standing = saved.standing(&planned.plan);
        if !standing.moved.is_empty() {
            runtime.block_on(options.against.close())?;
            say_moved(&standing.moved, printer);
            return Ok(Exit::Refused);
        }
        if standing.follow > 0 {
            runtime.block_on(options.against.close())?;
            printer.note(&format!(
                "this plan has been applied; what it showed as later steps of upgrades ({}) has its turn now, by a plan of its own \
                 or `apply --wait`",
                standing.follow
            ));
            return Ok(Exit::Done);
        }
        match (standing.open, standing.done) {
            (0, 0) => printer.note("nothing of this plan goes ahead"),
            (0, _) => printer.note("this plan has been applied: nothing of it is left to do"),
            _ => {}
        }
    }
    if args.output == Format::Text {
        common::show_idle(&loaded, &planned, printer);
        common::trace(&loaded, &mut planned, None, printer);
        printer.data(&PlanText { style: printer.style() }.render(&planned.plan))?;
    }
    if ops::leave(&planned, args.keep_going) == ops::Leave::Refused {
        if args.output == Format::Json {
            let nothing = json::step(&planned.plan, &Outcome::default(), &loaded.diagnostics);
            printer.json(&json::apply(nothing, Vec::new()))?;
        }
        let why = if planned.plan.refusals.is_empty() {
            "others hold fields that it would take from them"
        } else {
            "a guard refuses"
        };
        printer.complain(&format!(
            "nothing was changed: {why} (--keep-going does the rest without what is refused)"
        ));
        return Ok(Exit::Refused);
    }
    let changes = planned.plan.changes.iter().any(Change::goes_ahead);
    let outcome = if changes || planned.plan.is_behind() {
        if changes && !args.yes && saved.is_none() && !confirmed(printer)? {
            printer.complain("nothing was changed");
            return Ok(Exit::Error);
        }
        let options = Options {
            concurrency: args.concurrency.into(),
            wait: args.wait,
            ..Options::default()
        };
        runtime.block_on(apply(&loaded, &mut planned, (options, args.lease_timeout), printer))?
    } else {
        Outcome::default()
    };
    let mut before = Vec::new();
    let (planned, outcome) = match args.wait.filter(|_| saved.is_none()) {
        Some(wait) => {
            let going = follow(
                args,
                &loaded,
                (options.clone(), wait),
                (planned, outcome),
                (&mut before, printer),
            );
            runtime.block_on(going)?
        }
        None => (planned, outcome),
    };
    runtime.block_on(options.against.close())?;
    if args.output == Format::Json {
        let last = json::step(&planned.plan, &outcome, &loaded.diagnostics);
        printer.json(&json::apply(last, before))?;
    } else {
        summarise(&outcome, printer);
        let mut made = planned.plan.changes.iter().zip(&outcome.results);
        let is_control_plane = |change: &Change| change.action == Action::Create && change.id.kind == "HostedCluster";
        if args.wait.is_none()
            && made.any(|(change, result)| is_control_plane(change) && *result == Some(ChangeResult::Done))
        {
            printer.note(
                "control planes come up by themselves from here: `fleetwright status` shows how far they are, `apply --wait` \
                 waits for them",
            );
        }
    }
    if planned.plan.has_steps_to_come() {
        printer.note("an upgrade takes more steps, each when the one before is complete: a later run takes the next");
    }
    common::say_calls(&planned, printer);
    common::say_faults(options.against.sandbox(), printer);
    if planned.plan.is_refused() {
        printer.complain("some changes were not made: the plan says what they wait for");
    }
    Ok(exit(&loaded, &planned, &outcome))
}

/// For who waits: takes the further steps of upgrades, each when the one before is complete, until none is left, one is
/// refused or fails, or the time is over. Gives the last one; those before it are told, or added for a document that tells all.
async fn follow(
    args: &Args,
    loaded: &ops::LoadedFleet,
    (mut options, wait): (ops::PlanOptions, Duration),
    (mut planned, mut outcome): (Planned, Outcome),
    (before, printer): (&mut Vec<json::StepReport>, &Printer),
) -> anyhow::Result<(Planned, Outcome)> {
    let end = Instant::now() + wait;
    while planned.plan.has_steps_to_come() && outcome.is_success() && Instant::now() < end {
        if !planned.plan.changes.iter().any(Change::goes_ahead) {
            tokio::time::sleep(BETWEEN_STEPS.min(end - Instant::now())).await;
        }
        options.now = common::now();
        let next = ops::plan(loaded, &options).await?;
        // A look at which nothing was due yet is no step.
        if outcome.results.iter().any(Option::is_some) {
            match args.output {
                Format::Json => before.push(json::step(&planned.plan, &outcome, &loaded.diagnostics)),
                Format::Text => summarise(&outcome, printer),
            }
        }
        planned = next;
        outcome = Outcome::default();
        if ops::leave(&planned, args.keep_going) == ops::Leave::Refused {
            if args.output == Format::Text {
                printer.data(&PlanText { style: printer.style() }.render(&planned.plan))?;
            }
            break;
        }
        if planned.plan.changes.iter().any(Change::goes_ahead) {
            if args.output == Format::Text {
                printer.data(&PlanText { style: printer.style() }.render(&planned.plan))?;
            }
            let limits = Options {
                concurrency: args.concurrency.into(),
                wait: Some(end.saturating_duration_since(Instant::now())),
                ..Options::default()
            };
            outcome = apply(loaded, &mut planned, (limits, args.lease_timeout), printer).await?;
        }
    }
    Ok((planned, outcome))
}

/// A plan from a file; an exit where its own fleet files have moved away from it.
fn saved(
    path: &Path,
    args: &Args,
    loaded: &ops::LoadedFleet,
    printer: &Printer,
) -> anyhow::Result<Result<SavedPlan, Exit>> {
    let (saved, signer) = match ops::read_plan(path, args.require_signature.as_deref()) {
        Err(refusal) if refusal.is_refusal() => {
            printer.complain(&format!("{:#}", anyhow::Error::from(refusal)));
            printer.complain("nothing was changed");
            return Ok(Err(Exit::Refused));
        }
        read => read?,
    };
    if let Some(signer) = signer {
        printer.note(&format!(
            "{} is signed by {} ({})",
            path.display(),
            signer.name,
            signer.key
        ));
    }
    let moved = ops::moved_files(&saved, loaded);
    if moved.is_empty() {
        return Ok(Ok(saved));
    }
    say_moved(&moved, printer);
    Ok(Err(Exit::Refused))
}

/// Says why a saved plan is not applied.
fn say_moved(moved: &[Moved], printer: &Printer) {
    const SHOWN: usize = 20;
    for one in moved.iter().take(SHOWN) {
        printer.complain(&format!("the plan is stale: {one}"));
    }
    if moved.len() > SHOWN {
        printer.complain(&format!("and {} more", moved.len() - SHOWN));
    }
    printer.complain("nothing was changed: make the plan anew and have it looked at");
}

/// Applies under the Leases that daemons hold, too.
async fn apply(
    loaded: &ops::LoadedFleet,
    planned: &mut Planned,
    (options, patience): (Options, Duration),
    printer: &Printer,
) -> anyhow::Result<Outcome> {
    if patience.is_zero() {
        let interrupted = AtomicBool::new(false);
        return work(loaded, planned, (options, &interrupted), printer).await;
    }
    let held = lease::hold(planned, &loaded.revised.fleet, &lease_args::by_hand(), patience).await?;
    let claim = &held.claim;
    let work = work(loaded, planned, (options, &claim.interrupted), printer);
    let outcome = Fence::around(claim.fences.clone(), work).await;
    held.release().await;
    outcome
}

async fn work(
    loaded: &ops::LoadedFleet,
    planned: &mut Planned,
    (options, interrupted): (Options, &AtomicBool),
    printer: &Printer,
) -> anyhow::Result<Outcome> {
    ops::grant(loaded, planned, false).await?;
    let progress = Progress::new(printer);
    let work = ops::apply(loaded, planned, options, &progress, interrupted);
    tokio::pin!(work);
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        _ = tokio::signal::ctrl_c() => {
            interrupted.store(true, Ordering::Relaxed);
            let again = tokio::signal::ctrl_c();
            tokio::pin!(again);
            // It listens from its first poll on: a press between the words and that would be lost. It is ready only where it
            // can't listen.
            let deaf = futures::poll!(again.as_mut()).is_ready();
            progress.complain("interrupted: finishing what is under way (once more to stop at once); the next run goes on");
            tokio::select! {
                outcome = &mut work => outcome,
                _ = again, if !deaf => {
                    progress.finish();
                    anyhow::bail!("stopped at once; the next run finds what was made and goes on from there");
                }
            }
        }
    };
    progress.finish();
    Ok(outcome)
}

fn confirmed(printer: &Printer) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("there is nobody to ask: give --yes to apply without asking");
    }
    printer.complain("Apply this plan? Type yes:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn summarise(outcome: &Outcome, printer: &Printer) {
    let count = |test: &dyn Fn(&ChangeResult) -> bool| outcome.results.iter().flatten().filter(|r| test(r)).count();
    let parts: Vec<String> = [
        (count(&|result| *result == ChangeResult::Done), "done"),
        (count(&|result| *result == ChangeResult::Deleting), "being deleted"),
        (count(&|result| matches!(result, ChangeResult::Failed { .. })), "failed"),
        (
            count(&|result| matches!(result, ChangeResult::Skipped { .. })),
            "skipped",
        ),
        (count(&|result| *result == ChangeResult::Interrupted), "not begun"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    if !parts.is_empty() {
        printer.note(&format!("Applied: {}.", parts.join(", ")));
    }
    for (id, said) in &outcome.not_ready {
        printer.complain(&format!("not ready in time: {id}: {said}"));
    }
    for error in &outcome.inventory_errors {
        printer.complain(&format!(
            "the inventory lags behind, the next run mends it: {}",
            crate::report::chain(error)
        ));
    }
}

fn exit(loaded: &ops::LoadedFleet, planned: &Planned, outcome: &Outcome) -> Exit {
    if planned.plan.is_refused() {
        Exit::Refused
    } else if !outcome.is_success()
        || loaded.has_errors()
        || planned.plan.has_unknowns()
        || planned.plan.waits_for_deletes()
    {
        Exit::Error
    } else {
        Exit::Done
    }
}
