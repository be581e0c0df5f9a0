//! The part of `./meta` that needs the compiler and the device models: `./meta` builds it when it is first asked for.

mod figures;
mod identify;
mod mutation;
mod rule_test;
mod see;

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
    See(meta::see::SeeArguments),
    BenchRules(Form),
    BenchIdentify(Form),
    BenchMutation {
        #[command(flatten)]
        form: Form,
        #[arg(long, default_value_t = 100)]
        sample: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(clap::Args)]
struct Form {
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    let done = Workspace::from_environment().and_then(|workspace| match arguments.command {
        Command::RuleTest(arguments) => rule_test::run(&workspace, &arguments),
        Command::See(arguments) => see::run(&workspace, &arguments),
        Command::BenchRules(form) => figures::measure(&workspace)?.show(form.json),
        Command::BenchIdentify(form) => identify::measure(&workspace, !form.json)?.show(form.json),
        Command::BenchMutation { form, sample, seed } => {
            mutation::measure(&workspace, sample, seed, !form.json)?.show(form.json)
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", terminal::bad("error:"));
            ExitCode::FAILURE
        }
    }
}
