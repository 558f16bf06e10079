//! The options of a runner of cases.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::build;

const USAGE: &str = "usage: conformance [--runtime PATH] [--filter WORD] [--format text|junit|json|html]
                   [--expect] [--update-lists] [--against A,B,…] [--kills A,B,…] [--mutate] [--jobs N] [--list] [--coverage]
                   [--only FILE] [--within SECONDS]

  --runtime PATH   the runtime to test; more than one may be given
  --filter WORD    only cases whose section, sentence or feature row contains the word; all of several words;
                   slow ones, which are left out else, have the word slow
  --only FILE      only the cases whose titles are the lines of the file
  --within SECONDS begin no case after this time, and say how many were not tried
  --format FORMAT  what goes to standard output
  --expect         known failures are listed in tests/conformance/expected/NAME.txt: what differs from the list fails
  --against A,B    test several runtimes and write docs/conformance.md
  --kills A,B      kill each command of several runtimes at any time and write what is left to docs/conformance.md
  --mutate         take away from each config what its case is about: a case that passes must fail then
  --jobs N         how many cases at a time
  --list           list the cases
  --coverage       compare the cases with the features in tests/conformance/rows.txt, and say which of them no other
                   runtime passes, by the lists
  --update-lists   rewrite the list of known failures from this run; new lines need a reason by hand";

/// What a command line asks for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
pub(crate) struct Options {
    pub(crate) suite: &'static str,
    pub(crate) runtimes: Vec<PathBuf>,
    pub(crate) filters: Vec<String>,
    pub(crate) only: Option<BTreeSet<String>>,
    pub(crate) within: Option<Duration>,
    pub(crate) format: String,
    pub(crate) expect: bool,
    pub(crate) against: bool,
    pub(crate) kills: bool,
    pub(crate) mutate: bool,
    pub(crate) list: bool,
    pub(crate) coverage: bool,
    pub(crate) update_lists: bool,
    pub(crate) jobs: usize,
}

/// Reads the arguments.
///
/// # Errors
/// With the usage if they are wrong.
pub(crate) fn parse(arguments: &[String]) -> anyhow::Result<Options> {
    let mut options = Options { format: String::from("text"), ..Options::default() };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (name, attached) =
            word.split_once('=').map_or((word.as_str(), None), |(n, v)| (n, Some(v)));
        let mut value = || {
            let next = attached.map(String::from).or_else(|| words.next().cloned());
            next.with_context(|| format!("{name} needs a value\n{USAGE}"))
        };
        match name {
            "--runtime" => options.runtimes.push(find(&value()?)?),
            "--filter" => options.filters.push(value()?.to_lowercase()),
            "--only" => options.only = Some(titles(&value()?)?),
            "--within" => options.within = Some(Duration::from_secs(value()?.parse()?)),
            "--format" => options.format = value()?,
            "--expect" => options.expect = true,
            "--mutate" => options.mutate = true,
            "--list" => options.list = true,
            "--coverage" => options.coverage = true,
            "--update-lists" => (options.expect, options.update_lists) = (true, true),
            "--jobs" => options.jobs = value()?.parse().context("--jobs")?,
            "--against" | "--kills" => {
                options.against |= name == "--against";
                options.kills |= name == "--kills";
                for name in value()?.split(',') {
                    options.runtimes.push(find(name)?);
                }
            }
            _ => bail!("unknown option {word}\n{USAGE}"),
        }
    }
    if !["text", "junit", "json", "html"].contains(&options.format.as_str()) {
        bail!("unknown format {}\n{USAGE}", options.format);
    }
    if options.jobs == 0 {
        options.jobs = std::thread::available_parallelism().map_or(2, |count| count.get() + 1);
    }
    if options.runtimes.is_empty() {
        options.runtimes.push(build::workspace().join("target/debug/creel"));
    }
    Ok(options)
}

/// The lines of a file, without empty ones and comments.
fn titles(path: &str) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).with_context(|| String::from(path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.filter(|line| !line.starts_with('#')).map(String::from).collect())
}

/// A path as it is, a name from `$PATH`.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    if name.contains('/') {
        return std::path::absolute(name).context("the runtime's path");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = [PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")];
    let mut places =
        std::env::split_paths(&path).chain(extra).map(|directory| directory.join(name));
    places.find(|path| path.is_file()).with_context(|| format!("no runtime {name} in $PATH"))
}
