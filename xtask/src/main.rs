//! `cargo xtask NAME`: what was typed, and which task does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::repo::Repo;
use xtask::{bench, build, conformance, demo, deps, link_order, man, output, soak, test, tidy, vm};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show creel at work: a container from a bundle, its life step by step, podman, times
    Demo(demo::Args),
    /// Run every test
    Test(test::Args),
    /// Build the release binary and print its path
    Build,
    /// Write anew which functions the linker lays side by side (as root)
    LinkOrder,
    /// Say which system packages are missing, and install them (as root, by apt)
    Deps(deps::Args),
    /// Run the conformance suite; arguments go to its runner
    Conformance(conformance::Args),
    /// Run a runtime under real engines; arguments go to the runner
    Engines(conformance::Args),
    /// Run commands at once for minutes, killed and signalled meanwhile, and look for wrong codes and leaks
    Soak(soak::Args),
    /// Measure creel against other runtimes
    Bench(bench::Args),
    /// Write manual pages and shell completions
    Man(man::Args),
    /// Make and use a virtual machine with cgroup v2 and systemd
    Vm(vm::Args),
    /// Check the house rules that clippy cannot
    Tidy,
}

fn main() -> ExitCode {
    match run(Args::parse().task) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let repo = Repo::find()?;
    match task {
        Task::Demo(args) => demo::run(&repo, &args),
        Task::Test(args) => test::run(&repo, &args),
        Task::Build => build::run(&repo),
        Task::LinkOrder => link_order::run(&repo),
        Task::Deps(args) => deps::run(&repo, &args),
        Task::Conformance(args) => conformance::run(&repo, "conformance", &args),
        Task::Engines(args) => conformance::run(&repo, "engines", &args),
        Task::Soak(args) => soak::run(&repo, &args),
        Task::Bench(args) => bench::run(&repo, &args),
        Task::Man(args) => man::run(&repo, &args),
        Task::Vm(args) => vm::run(&repo, &args),
        Task::Tidy => tidy::run(&repo),
    }
}
