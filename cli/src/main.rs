//! The `consulate` command: reads the command line, runs it, and exits with 0 (done), 1 (findings or refused) or 2 (misuse).

use std::process::ExitCode;
use std::time::Duration;

use consulate::operator::arguments::{Arguments, Command};
use consulate::{dev, operator};
use operator::output;
use tokio::runtime::Runtime;

/// How long the end of the process waits for what still works in a thread of its own: a statement of the embedded engine, say.
const LEFTOVERS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        // Misuse; or help, which was asked for.
        Err(error) => error.exit(),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(output::failure(&error.into(), arguments.json)),
    };
    let code = runtime.block_on(run(&arguments));
    runtime.shutdown_timeout(LEFTOVERS);
    code
}

async fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Dev(dev_arguments) => dev::command::run(dev_arguments).await.map(|()| None),
        _ => operator::run(arguments).await,
    };
    ExitCode::from(match done {
        Ok(Some(report)) => output::report(&report, arguments.json),
        Ok(None) => 0,
        Err(error) => output::failure(&error, arguments.json),
    })
}
