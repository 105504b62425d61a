//! `admit`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::args::{Format, Global};
use super::{Exit, Printer};
use crate::ops::{self, AdmitOptions};
use crate::report::admission::{AdmissionText, Count};
use crate::report::style::Style;
use crate::report::{diagnostics, json};
use crate::schema::admission::FieldValidation;

/// Say what an API server would say of objects, without one
///
/// Custom resources are judged by their CustomResourceDefinitions as a server judges them: unknown and repeated fields,
/// defaults, types, formats, lists with keys, and the rules (CEL), each in the server's words and with its path, and with the
/// line of your file that it is about.
///
/// With --old, an object that is there too is judged as its update: rules that compare with what was (a field that must not
/// change) run, and what was wrong before and is left as it was is let pass. The new object is taken as the whole object, as
/// `kubectl replace` takes it. Kinds that no definition is about, such as Kubernetes' own, are said to be not checked.
///
/// Not seen from here: webhooks, quotas, whether the namespace is there, and whether a rule is too costly for a server.
///
/// Exit codes: 0 all admitted · 3 something rejected · 1 something could not be read, or nothing could be checked.
///
/// Examples:
///   fleetwright admit --crd crds/ cluster.yaml
///   fleetwright render | fleetwright admit --crd fleet/schemas -
///   kubectl get hostedcluster payments -n clusters -o yaml > live.yaml
///   fleetwright admit --crd crds/ --old live.yaml --defaults cluster.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Objects: files of YAML or JSON, directories of *.yaml and *.yml, or `-` for standard input
    #[arg(required = true, value_name = "FILE_OR_DIR")]
    objects: Vec<PathBuf>,

    /// CustomResourceDefinitions: a file, or a directory, in which other documents are passed over (repeatable)
    #[arg(long = "crd", required = true, value_name = "FILE_OR_DIR")]
    definitions: Vec<PathBuf>,

    /// Objects as they are stored now: a file or a directory (repeatable)
    #[arg(long, value_name = "FILE_OR_DIR")]
    old: Vec<PathBuf>,

    /// What becomes of fields that are unknown or come twice, as for kubectl
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    validate: Validate,

    /// Show each field that would be filled in
    #[arg(long)]
    defaults: bool,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

/// What becomes of unknown fields.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Validate {
    /// The object is rejected.
    #[default]
    Strict,
    /// They are dropped, with a warning.
    Warn,
    /// They are dropped.
    Ignore,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let judgement = ops::admit(&AdmitOptions {
        definitions: args.definitions.clone(),
        old: args.old.clone(),
        objects: args.objects.clone(),
        field_validation: match args.validate {
            Validate::Strict => FieldValidation::Strict,
            Validate::Warn => FieldValidation::Warn,
            Validate::Ignore => FieldValidation::Ignore,
        },
    })?;
    let count = Count::of(&judgement.objects);
    match args.output {
        Format::Json => printer.json(&json::admission(&judgement.objects, &judgement.problems))?,
        Format::Text => {
            let view = AdmissionText {
                style: printer.style(),
                defaults: args.defaults,
            };
            printer.data(&view.render(&judgement.objects))?;
            if !judgement.problems.is_empty() {
                let style = diagnostics::Style {
                    color: printer.error_style() == Style::Coloured,
                    alike: None,
                };
                printer.complain(&diagnostics::render(&judgement.problems, &judgement.files, style));
            }
            printer.note(&count.line());
        }
    }
    let is_read = judgement.problems.is_empty();
    if count.admitted + count.rejected == 0 && is_read && args.output == Format::Text {
        printer.complain("nothing was checked: no object is of a kind that the definitions are about");
    }
    let is_compared = judgement.objects.iter().any(|object| object.is_update);
    if !args.old.is_empty() && !judgement.objects.is_empty() && !is_compared {
        printer.complain(
            "warning: none of the objects is among those that --old names (the same group, kind, namespace and name): all were \
             judged as new, and no rule has compared anything",
        );
    }
    Ok(match count {
        _ if !is_read || count.failed > 0 => Exit::Error,
        Count { rejected: 1.., .. } => Exit::Refused,
        Count { admitted: 0, .. } => Exit::Error,
        _ => Exit::Done,
    })
}
