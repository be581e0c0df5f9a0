//! The part of `./meta` that needs the compiler and the device models: `./meta` builds it when it is first asked for.

mod rule_test;

use clap::{Parser, Subcommand};
use meta::terminal;
use meta::workspace::Workspace;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "./meta", bin_name = "./meta")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(name = "rule-test")]
    RuleTest(rule_test::TestArguments),
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    let done = Workspace::from_environment().and_then(|workspace| match arguments.command {
        Command::RuleTest(arguments) => rule_test::run(&workspace, &arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", terminal::bad("error:"));
            ExitCode::FAILURE
        }
    }
}
