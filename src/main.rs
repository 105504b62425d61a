//! The thin binary: parse, telemetry, run, exit code.

use std::process::ExitCode;

use fleetwright::cli::{Cli, Exit, Printer};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes that are allocated and not yet given back. What libgit2, libssh2 and OpenSSL hold is not among them: it comes from
/// the C library.
fn allocated() -> Option<u64> {
    // The figures are those of the last epoch.
    tikv_jemalloc_ctl::epoch::advance().ok()?;
    u64::try_from(tikv_jemalloc_ctl::stats::allocated::read().ok()?).ok()
}

fn main() -> ExitCode {
    fleetwright::cli::redact_panics();
    fleetwright::metrics::allocator::is_asked_by(allocated);
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own 2 would look like "changes pending".
            let code = if error.use_stderr() { Exit::Error } else { Exit::Done };
            return match fleetwright::cli::print_usage(&error, no_color) {
                Ok(()) => ExitCode::from(code as u8),
                // A reader that went away has what it wanted.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(code as u8),
                Err(_) => ExitCode::from(Exit::Error as u8),
            };
        }
    };
    let printer = Printer::new(cli.global(), no_color);
    // Held until the end: what it still has of traces is sent then.
    let _logging = match fleetwright::cli::start_logging(cli.global(), printer.error_style()) {
        Ok(logging) => logging,
        Err(error) => {
            printer.complain(&fleetwright::cli::error_text(&error, printer.error_style()));
            return ExitCode::from(Exit::Error as u8);
        }
    };
    run(cli, &printer)
}

fn run(cli: Cli, printer: &Printer) -> ExitCode {
    match cli.run(printer) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            printer.complain(&fleetwright::cli::error_text(&error, printer.error_style()));
            ExitCode::from(Exit::Error as u8)
        }
    }
}
