//! Why a command did not do what it was asked to, and the exit code that says so.
//!
//! Invariant: a code never claims more than is known. 2, 3 and 5 say that nothing of the user's has run, 0 and 1 that it has, and 4 that nobody
//! knows: what a script may repeat is told by the code alone.

use std::fmt;
use std::io;
use std::process::ExitCode;

use fibra::rpc::{CallError, ConnectError, Executed};

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// The call ran and has no value to show.
    Failed = 1,
    /// What was asked for makes no sense.
    Usage = 2,
    /// There is no connection.
    Unreachable = 3,
    /// The call may have run.
    Unknown = 4,
    /// The call has not run and will not.
    NotRun = 5,
    /// Ctrl-C has ended a bench.
    Interrupted = 130,
    /// Who read the output has closed it.
    HungUp = 141,
}

/// For `--help` and the manual page.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    it did what it was asked to
  1    the call ran, and there is no value: the method's own error, a panic, a reply that is too
       large, output that could not be written; of a bench: some calls failed; of
       gen: something is stale, or cannot be read or written
  2    usage: an unknown option, arguments that do not fit the method; nothing was called
  3    there is no connection to a server; nothing was called
  4    nobody knows whether the call ran: call again only if running twice does no harm
  5    the call has not run and will not: no such method, refused, or the time was up before
  130  Ctrl-C has ended a bench (as after SIGINT); what it had measured until then is printed
  141  who read the output closed it (as after SIGPIPE)";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// See the [module](self). Displays as what happened, and what can be done now.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// There is no connection.
    Connect(String),
    /// A call has no value.
    Call { message: String, executed: Executed },
    /// It was tried, and did not work out.
    Failed(String),
    /// Output could not be written.
    Output(io::Error),
    /// The message has been printed.
    Told(Exit),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Nothing of the user's has run.
    pub(crate) fn not_run(message: impl Into<String>) -> Self {
        Self::Call { message: message.into(), executed: Executed::No }
    }

    /// Of a call that was made on the way to the user's.
    pub(crate) fn before_the_call(error: &CallError) -> Self {
        Self::not_run(error.to_string())
    }

    pub(crate) fn of_call<E: fmt::Display>(error: &CallError<E>) -> Self {
        Self::Call { message: error.to_string(), executed: error.executed() }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Connect(_) => Exit::Unreachable,
            Self::Call { executed: Executed::Yes, .. } => Exit::Failed,
            Self::Call { executed: Executed::Maybe, .. } => Exit::Unknown,
            Self::Call { executed: Executed::No, .. } => Exit::NotRun,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::HungUp,
            Self::Output(_) | Self::Failed(_) => Exit::Failed,
            Self::Told(exit) => *exit,
        }
    }

    /// Whether there is anything to say of it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Told(_)) || self.exit() == Exit::HungUp
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            // What was typed is no address, as far as could be found out without asking anybody.
            ConnectError::Resolve(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Self::Usage(format!("the address is not HOST:PORT: {error}"))
            }
            error => Self::Connect(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Connect(message) | Self::Failed(message) | Self::Call { message, .. } => {
                f.write_str(message)
            }
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Told(_) => Ok(()),
        }
    }
}
