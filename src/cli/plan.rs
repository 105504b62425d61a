//! `plan`.

use crate::plan::ignore::Contested;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{FleetArgs, Global, ReportFormat, TargetArgs};
use super::common;
use super::schemas_args::SchemasArgs;
use super::{Exit, Printer};
use crate::ops;
use crate::plan::disruption::Pace;
use crate::plan::narrow::Narrow;
use crate::plan::saved::Allowed;
use crate::report::markdown::Comment;
use crate::report::plan_text::PlanText;
use crate::report::verdict::Verdict;
use crate::report::{json, junit, sarif};

/// Show what would change, and why, without changing anything
///
/// Reads the fleet files and the live state, and prints every object that is not as the files say, field by field.
/// `--against nothing` needs no cluster: it shows all that a new installation would create. Nor does `--against git:main`: it
/// shows what a branch changes, as a review wants to see it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    schemas: SchemasArgs,

    /// What to compare with: `live`, `nothing`, `git:REVISION`, or a directory
    ///
    /// `live` is the live state. The others need no cluster: `nothing` is as if no object were there; `git:main` is the
    /// fleet as that commit of the repository has it; a directory holds another fleet, or what `render --output` wrote,
    /// be it of another version of this program.
    #[arg(long, default_value = "live", value_name = "WHAT", value_parser = Against::parse)]
    against: Against,

    /// Take over objects that someone else made
    #[arg(long)]
    adopt: bool,

    /// Minutes from draining a node to its successor being ready, for estimates
    #[arg(long, value_name = "N", default_value_t = Pace::default().node_minutes, value_parser = clap::value_parser!(u32).range(1..=600))]
    node_minutes: u32,

    /// Only what moved by itself, and what could not be looked at; an object whose files changed too is none of that
    #[arg(long)]
    drift: bool,

    /// Only objects of this kind (repeatable); the plan is made and judged as a whole all the same, and `apply` does the whole
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,

    /// Keep the plan in a file, for `apply FILE` to do just that or nothing; no value is in it, only salted digests, and of Secrets not even those
    #[arg(long, value_name = "FILE", conflicts_with_all = ["provider", "drift", "only"])]
    out: Option<PathBuf>,

    /// Exit with 2 when changes are pending, with 4 when there is nothing but drift
    #[arg(long)]
    detailed_exitcode: bool,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: ReportFormat,
}

/// What a plan is made against.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Against {
    /// The live state.
    Live,
    /// Nothing, as if no object were there.
    Nothing,
    /// A commit.
    Revision(String),
    /// A directory.
    Directory(PathBuf),
}

impl Against {
    /// A word, a revision, or else the path of a directory that is there.
    fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("git:")) {
            ("live", _) => Ok(Self::Live),
            ("nothing", _) => Ok(Self::Nothing),
            (_, Some("")) => Err("name a revision after `git:`, a branch or a commit".to_owned()),
            (_, Some(revision)) => Ok(Self::Revision(revision.to_owned())),
            (path, None) if Path::new(path).is_dir() => Ok(Self::Directory(path.into())),
            (_, None) => Err("this is none of `live`, `nothing` and `git:REVISION`, nor a directory".to_owned()),
        }
    }

    /// The other rendering; none where there is no such thing.
    fn base(&self, args: &Args, loaded: &ops::LoadedFleet) -> Result<Option<ops::Base>, ops::BaseError> {
        Ok(match self {
            Self::Live | Self::Nothing => None,
            Self::Revision(revision) => Some(ops::Base::at_revision(
                args.fleet.directory.at.fleet.as_path(),
                revision,
                loaded,
            )?),
            Self::Directory(directory) => Some(ops::Base::in_directory(directory, loaded)?),
        })
    }
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let mut loaded = common::load(&args.fleet, printer)?;
    args.schemas.judge(&mut loaded)?;
    // A sandbox lives in it.
    let runtime = common::runtime()?;
    if args.out.is_some() && args.against != Against::Live {
        anyhow::bail!("only a plan against the live state can be kept and applied: leave --against away");
    }
    if args.drift && args.against != Against::Live {
        anyhow::bail!("only what lives can have moved by itself: leave --against away");
    }
    let base = args.against.base(args, &loaded)?;
    let compared_with = base.as_ref().map(|base| base.name.clone());
    let since = base.as_ref().and_then(|base| base.commit.clone());
    let against = match (&args.against, base) {
        (_, Some(base)) => {
            base.notes.iter().for_each(|line| printer.note(line));
            printer.note(&format!("compared with {}", base.name));
            ops::Against::Rendered(Arc::new(base))
        }
        (Against::Live, None) => ops::Against::Live(Box::new(common::access(&args.target, Some(&loaded), &runtime)?)),
        (_, None) => ops::Against::Nothing,
    };
    let options = ops::PlanOptions {
        against,
        scope: common::scope(&args.fleet, &args.target),
        contested: Contested::new(),
        adopt: args.adopt,
        even_suspended: false,
        now: common::now(),
    };
    let planned = runtime.block_on(ops::plan(&loaded, &options));
    let mut planned = planned.inspect_err(|_| common::say_faults(options.against.sandbox(), printer))?;
    runtime.block_on(options.against.close())?;
    planned.plan.forecast.go_by(Pace {
        node_minutes: args.node_minutes,
    });
    common::show_inadmissible(&mut loaded, &planned, printer);
    let narrow = Narrow {
        drift: args.drift,
        kinds: args.only.clone(),
    };
    if narrow.is_less() {
        ops::narrow(&loaded, &mut planned, &options.scope, &narrow)?;
    }
    if args.against != Against::Nothing {
        common::trace(&loaded, &mut planned, since.as_ref(), printer);
    }
    let plan = &planned.plan;
    let verdict = Verdict::of_plan(plan, loaded.has_errors());
    match args.output {
        ReportFormat::Text => printer.data(&PlanText { style: printer.style() }.render(plan))?,
        ReportFormat::Json => printer.json(&json::plan(plan, &loaded.diagnostics))?,
        ReportFormat::Markdown => {
            let comment = Comment {
                fleet: loaded.fleet.name.as_str(),
                compared_with: compared_with.as_deref(),
                verdict,
            };
            printer.data(&comment.render(plan))?;
        }
        ReportFormat::Sarif => {
            let directory = common::in_repository(&args.fleet.directory.at.fleet);
            printer.json(&sarif::of_plan(plan, &loaded.diagnostics, &directory))?;
        }
        ReportFormat::Junit => printer.data(&junit::of_plan(plan, &loaded.diagnostics))?,
    }
    if let Some(path) = &args.out {
        let allowed = Allowed {
            adopt: args.adopt,
            even_suspended: false,
        };
        let saved = ops::save_plan(&loaded, &planned, allowed, path)?;
        let dirty = match (&saved.head, saved.dirty) {
            (_, false) => String::new(),
            (None, true) => ", which is no commit".to_owned(),
            (Some(head), true) => format!(", which is no commit (that below it is {head})"),
        };
        let (changes, these) = match saved.changes.iter().filter(|change| change.goes_ahead).count() {
            1 => ("1 change".to_owned(), "this"),
            n => (format!("{n} changes"), "these"),
        };
        let path = path.display();
        let revision = &saved.revision;
        printer.note(&if saved.changes.iter().any(|change| change.goes_ahead) {
            format!("kept in {path}: {changes} of {revision}{dirty}; `fleetwright apply {path}` makes just {these}")
        } else {
            format!("kept in {path}: no change of {revision}{dirty} goes ahead, and `fleetwright apply {path}` would make none")
        });
    }
    common::say_calls(&planned, printer);
    common::say_faults(options.against.sandbox(), printer);
    // The program ends here. To give a large fleet back piece by piece would be a twentieth of the time that all of it took.
    std::mem::forget((loaded, planned, options));
    Ok(match verdict {
        Verdict::Refused => Exit::Refused,
        Verdict::Incomplete => Exit::Error,
        Verdict::Drift if args.detailed_exitcode => Exit::Drift,
        Verdict::Changes if args.detailed_exitcode => Exit::Changes,
        Verdict::Clean | Verdict::Drift | Verdict::Changes => Exit::Done,
    })
}
