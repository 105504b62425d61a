//! `plan`.

use super::args::{FleetArgs, Format, Global, TargetArgs};
use super::common;
use super::schemas_args::SchemasArgs;
use super::{Exit, Printer};
use crate::ops;
use crate::plan::disruption::Pace;
use crate::report::{json, plan_text::PlanText};

/// Show what would change, and why, without changing anything
///
/// Reads the fleet files and the live state, and prints every object that is not as the files say, field by field.
/// `--against nothing` needs no cluster: it shows all that a new installation would create.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    schemas: SchemasArgs,

    /// What to compare with
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    against: Against,

    /// Take over objects that someone else made
    #[arg(long)]
    adopt: bool,

    /// Minutes from draining a node to its successor being ready, for estimates
    #[arg(long, value_name = "N", default_value_t = Pace::default().node_minutes, value_parser = clap::value_parser!(u32).range(1..=600))]
    node_minutes: u32,

    /// Exit with 2 when changes are pending, with 4 when there is nothing but drift
    #[arg(long)]
    detailed_exitcode: bool,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

/// What a plan is made against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Against {
    /// The live state.
    #[default]
    Live,
    /// Nothing, as if no object were there.
    Nothing,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let mut loaded = common::load(&args.fleet, printer)?;
    args.schemas.judge(&mut loaded)?;
    // A sandbox lives in it.
    let runtime = common::runtime()?;
    let against = match args.against {
        Against::Live => ops::Against::Live(Box::new(common::access(&args.target, Some(&loaded), &runtime)?)),
        Against::Nothing => ops::Against::Nothing,
    };
    let options = ops::PlanOptions {
        against,
        scope: common::scope(&args.fleet, &args.target),
        adopt: args.adopt,
        even_suspended: false,
        now: common::now(),
    };
    let mut planned = runtime.block_on(ops::plan(&loaded, &options))?;
    runtime.block_on(options.against.close())?;
    planned.plan.forecast.go_by(Pace {
        node_minutes: args.node_minutes,
    });
    common::show_inadmissible(&mut loaded, &planned, printer);
    let plan = &planned.plan;
    match args.output {
        Format::Text => printer.data(&PlanText { style: printer.style() }.render(plan))?,
        Format::Json => printer.json(&json::plan(plan, &loaded.diagnostics))?,
    }
    common::say_calls(&planned, printer);
    if plan.is_refused() {
        return Ok(Exit::Refused);
    }
    // What could not be looked at may have changed: "no changes" would be more than is known.
    if loaded.has_errors() || plan.has_unknowns() {
        return Ok(Exit::Error);
    }
    Ok(
        match (args.detailed_exitcode, plan.has_changes(), plan.is_drift_only()) {
            (true, true, true) => Exit::Drift,
            (true, true, false) => Exit::Changes,
            _ => Exit::Done,
        },
    )
}
