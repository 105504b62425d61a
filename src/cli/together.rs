//! Options that don't go together, and of which some may come from the environment.
//!
//! clap takes a variable for an option that was typed: whoever has KUBECONFIG set could never use a sandbox. So these rules
//! look at what was typed alone.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Which real control planes are meant, and how they are reached.
const REAL: [&str; 7] = [
    "kubeconfig",
    "context",
    "allow_exec",
    "oci_auth",
    "oci_config",
    "oci_profile",
    "oci_endpoint",
];

/// How a sandbox behaves.
const SANDBOXED: [&str; 4] = ["seed", "faults", "speed", "no_limits"];

/// Refuses what can't be meant.
pub(super) fn check(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(());
    };
    // Not every command knows each of them. What was parsed does not say so: a release build of clap answers as if it did.
    let known = command.find_subcommand(name);
    let is_known = |id: &str| known.is_some_and(|known| known.get_arguments().any(|arg| arg.get_id() == id));
    let typed = |id: &str| is_known(id) && matches.value_source(id) == Some(ValueSource::CommandLine);
    if !is_known("sandbox") {
        return Ok(());
    }
    let wrong = if typed("sandbox") {
        let real = REAL.into_iter().find(|id| typed(id));
        real.map(|id| (ErrorKind::ArgumentConflict, id))
    } else {
        let sandboxed = SANDBOXED.into_iter().find(|id| typed(id));
        sandboxed.map(|id| (ErrorKind::MissingRequiredArgument, id))
    };
    match wrong {
        Some((kind, id)) => Err(refusal(command, name, kind, id)),
        None => Ok(()),
    }
}

/// In clap's own words.
fn refusal(command: &mut Command, name: &str, kind: ErrorKind, id: &str) -> clap::Error {
    command.build();
    let mut nowhere = Command::default();
    let command = command.find_subcommand_mut(name).unwrap_or(&mut nowhere);
    let usage = command.render_usage();
    let shown = |id: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id);
        arg.map(ToString::to_string).unwrap_or_default()
    };
    let sandbox = shown("sandbox");
    let mut error = clap::Error::new(kind).with_cmd(command);
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    if kind == ErrorKind::ArgumentConflict {
        error.insert(ContextKind::InvalidArg, ContextValue::String(shown(id)));
        error.insert(ContextKind::PriorArg, ContextValue::String(sandbox));
    } else {
        error.insert(ContextKind::InvalidArg, ContextValue::Strings(vec![sandbox]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    fn refused(args: &[&str]) -> Option<(ErrorKind, String)> {
        let mut command = Cli::command();
        let args = [&["fleetwright"], args].concat();
        let matches = command.try_get_matches_from_mut(args).unwrap();
        let error = check(&mut command, &matches).err()?;
        Some((error.kind(), error.to_string()))
    }

    #[test]
    fn a_sandbox_is_not_reached_like_real_control_planes() {
        for command in ["plan", "apply", "status"] {
            for real in [
                &["--kubeconfig", "f"][..],
                &["--context", "c"],
                &["--allow-exec"],
                &["--oci-auth", "config"],
                &["--oci-config", "f"],
                &["--oci-profile", "p"],
                &["--oci-endpoint", "http://e"],
            ] {
                let (kind, message) = refused(&[&[command, "--sandbox"], real].concat()).unwrap();
                assert_eq!(kind, ErrorKind::ArgumentConflict);
                let said = format!("error: the argument '{}", real[0]);
                assert!(message.starts_with(&said), "{message}");
                assert!(message.contains("cannot be used with '--sandbox [<DIR>]'"), "{message}");
                assert!(message.contains(&format!("Usage: fleetwright {command}")), "{message}");
                assert_eq!(refused(&[&[command], real].concat()), None);
            }
        }
    }

    #[test]
    fn what_a_sandbox_does_is_said_of_a_sandbox() {
        for option in [
            &["--seed", "1"][..],
            &["--faults", "429=1"],
            &["--speed", "2"],
            &["--no-limits"],
        ] {
            let (kind, message) = refused(&[&["plan"], option].concat()).unwrap();
            assert_eq!(kind, ErrorKind::MissingRequiredArgument);
            assert!(message.contains("--sandbox [<DIR>]"), "{message}");
            assert_eq!(refused(&[&["plan", "--sandbox", "box"], option].concat()), None);
            assert_eq!(refused(&[&["sandbox"], option].concat()), None);
        }
        // How often OCI is called, and how much of it is read, is asked of a sandbox too.
        assert_eq!(
            refused(&["plan", "--sandbox", "--oci-calls", "1", "--refresh", "full"]),
            None
        );
    }
}
