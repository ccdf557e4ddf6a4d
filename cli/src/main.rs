//! The `consulate` command: reads the command line, runs it, and exits with 0 (done), 1 (findings or refused) or 2 (misuse).

use std::process::ExitCode;

use consulate::operator::arguments::{Arguments, Command};
use consulate::{dev, operator};
use operator::output;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        // Misuse; or help, which was asked for.
        Err(error) => error.exit(),
    };
    let done = match &arguments.command {
        Command::Dev(dev_arguments) => dev::command::run(dev_arguments).await.map(|()| None),
        _ => operator::run(&arguments).await,
    };
    ExitCode::from(match done {
        Ok(Some(report)) => output::report(&report, arguments.json),
        Ok(None) => 0,
        Err(error) => output::failure(&error, arguments.json),
    })
}
