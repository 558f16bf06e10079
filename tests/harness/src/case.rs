//! What a test is: a sentence, where the specification says it, and a body.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::Runtime;

/// What a body returns: `Ok` if the sentence holds, [`skip`] if it cannot be tried here.
pub type Outcome = anyhow::Result<()>;

/// A change to a config that takes the feature away which the case is about.
pub type Mutation = fn(&mut Value);

type Body = Box<dyn Fn(&Runtime) -> Outcome + Send + Sync>;

/// How strongly the sentence binds a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The specification says MUST, REQUIRED or SHALL.
    Must,
    /// The specification says SHOULD or RECOMMENDED.
    Should,
    /// The specification says MAY or OPTIONAL.
    May,
    /// Engines rely on it, though no specification says it.
    Cli,
}

impl Level {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Must, Self::Should, Self::May, Self::Cli];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Cli => "CLI",
        })
    }
}

/// The error by which a body says that it cannot be tried here.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skip {}

/// Ends a body without a verdict. Each reason must be listed in `tests/allowed-skips.txt`.
///
/// # Errors
/// Always: the error is the message to the runner.
pub fn skip<T>(reason: impl Into<String>) -> anyhow::Result<T> {
    Err(anyhow::Error::new(Skip(reason.into())))
}

/// One test.
pub struct Case {
    /// A sentence that can be false.
    pub name: String,
    /// `FILE.md#anchor` of the specification, or `cli#COMMAND`.
    pub section: &'static str,
    /// The version of the specification that introduced it; empty for [`Level::Cli`].
    pub since: &'static str,
    /// Rows of the feature table.
    pub rows: &'static [&'static str],
    /// How strongly it binds.
    pub level: Level,
    /// What the mutation check does to the config.
    pub mutation: Option<Mutation>,
    /// Runs while no other case does.
    pub alone: bool,
    /// Longest time it may take.
    pub limit: Duration,
    /// It is run only when `slow` cases are asked for.
    pub slow: bool,
    /// If it fails, it is not tried again.
    pub once: bool,
    pub(crate) body: Body,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("section", &self.section)
            .finish_non_exhaustive()
    }
}

impl Case {
    /// Section and sentence: the name by which lists know the case.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}: {}", self.section, self.name)
    }

    /// Declares the change to the config that must make the case fail.
    pub fn mutation(&mut self, mutation: Mutation) -> &mut Self {
        self.mutation = Some(mutation);
        self
    }

    /// Leaves the case out unless the filters ask for `slow` ones.
    pub fn slow(&mut self) -> &mut Self {
        self.slow = true;
        self
    }

    /// Lets the case run while no other does, since it changes or counts something of the whole machine.
    pub fn alone(&mut self) -> &mut Self {
        self.alone = true;
        self
    }

    /// Gives the case more (or less) time than the default of 120 seconds.
    pub fn limit(&mut self, seconds: u64) -> &mut Self {
        self.limit = Duration::from_secs(seconds);
        self
    }
}

/// The registry: sections add their cases to it.
#[derive(Debug, Default)]
pub struct Cases {
    /// All cases, in the order of their registration.
    pub list: Vec<Case>,
    section: &'static str,
    since: &'static str,
}

impl Cases {
    /// The section of the cases that follow, and the version of the specification that introduced it.
    pub fn section(&mut self, section: &'static str, since: &'static str) -> &mut Self {
        self.section = section;
        self.since = since;
        self
    }

    /// Adds a case of any level.
    pub fn add<F>(
        &mut self,
        level: Level,
        rows: &'static [&'static str],
        name: impl Into<String>,
        body: F,
    ) -> &mut Case
    where
        F: Fn(&Runtime) -> Outcome + Send + Sync + 'static,
    {
        let (section, since, limit) = (self.section, self.since, Duration::from_secs(120));
        let (name, body): (_, Body) = (name.into(), Box::new(body));
        let case = Case {
            name,
            section,
            since,
            rows,
            level,
            mutation: None,
            slow: false,
            once: false,
            alone: false,
            limit,
            body,
        };
        self.list.push(case);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Adds what the specification demands.
    pub fn must<F>(
        &mut self,
        rows: &'static [&'static str],
        name: impl Into<String>,
        body: F,
    ) -> &mut Case
    where
        F: Fn(&Runtime) -> Outcome + Send + Sync + 'static,
    {
        self.add(Level::Must, rows, name, body)
    }

    /// Adds what the specification recommends.
    pub fn should<F>(
        &mut self,
        rows: &'static [&'static str],
        name: impl Into<String>,
        body: F,
    ) -> &mut Case
    where
        F: Fn(&Runtime) -> Outcome + Send + Sync + 'static,
    {
        self.add(Level::Should, rows, name, body)
    }

    /// Adds what the specification allows.
    pub fn may<F>(
        &mut self,
        rows: &'static [&'static str],
        name: impl Into<String>,
        body: F,
    ) -> &mut Case
    where
        F: Fn(&Runtime) -> Outcome + Send + Sync + 'static,
    {
        self.add(Level::May, rows, name, body)
    }

    /// Adds what engines rely on.
    pub fn cli<F>(
        &mut self,
        rows: &'static [&'static str],
        name: impl Into<String>,
        body: F,
    ) -> &mut Case
    where
        F: Fn(&Runtime) -> Outcome + Send + Sync + 'static,
    {
        self.add(Level::Cli, rows, name, body)
    }

    /// Sentences that are used twice in a section, which would make the lists ambiguous.
    #[must_use]
    pub fn duplicates(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        self.list.iter().map(Case::title).filter(|title| !seen.insert(title.clone())).collect()
    }
}
