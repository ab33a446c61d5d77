//! What a run leaves behind.

use std::path::PathBuf;

/// How a run ends, from best to worst: the exit codes that `--help` promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything is good; the request would pass.
    #[default]
    Good,
    /// There are problems; the request would be refused.
    Bad,
    /// There was nothing to judge: no such file, not the right format, wrong arguments.
    CannotRun,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::CannotRun => 2,
        }
    }
}

/// Everything that is to be printed, and the exit code.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
    /// A new file that is worth nothing without what is printed: where that cannot be printed, it goes as well.
    pub(crate) made: Option<PathBuf>,
}

impl Outcome {
    /// The run ends no better than this.
    pub(crate) fn at_least(&mut self, exit: Exit) {
        self.exit = self.exit.max(exit);
    }

    /// The run cannot do (all of) its work; `why` is one or more whole lines.
    pub(crate) fn cannot_run(&mut self, why: &str) {
        self.stderr.push_str(why.trim_end_matches('\n'));
        self.stderr.push('\n');
        self.at_least(Exit::CannotRun);
    }
}
