//! The errors of loading.

use std::io;
use std::path::{Path, PathBuf};

use crate::compiler::CompilerError;
use crate::error::{PluginError, is_lack};
use crate::printable::printable_path;
use postgate_config::ConfigError;
use postgate_contract::VERSION;

/// The reason why a plugin cannot be loaded. The operator or the author of the plugin has to fix it,
/// unless the host has failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be compiled.
    #[error("{file}: {error}", file = printable_path(file))]
    Compiler {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: CompilerError,
    },
    /// The plugin could not be tried out, because sessions used all instances.
    #[error("{}: could not be tried, all of plugins.instances are in use", printable_path(.0))]
    Full(PathBuf),
    /// The component exports events that the host does not call.
    #[error(
        "{file}: it exports {exports}, which this gateway never calls: the plugin is written against \
         another version of the contract than {VERSION}",
        file = printable_path(.file),
        exports = .exports.join(", ")
    )]
    Export {
        /// The file.
        file: PathBuf,
        /// The names of the exports, as they are shown.
        exports: Vec<String>,
    },
    /// The file or its directory cannot be read.
    #[error("{file}: {error}", file = printable_path(file))]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The component has imports that are not offered or not granted.
    #[error("{file}: {reason}", file = printable_path(file))]
    Import {
        /// The file.
        file: PathBuf,
        /// The imports, and the grants that would allow them.
        reason: String,
    },
    /// The name of the file cannot be shown.
    #[error(
        "{}: the name of a plugin must be UTF-8, without control characters or others that nobody sees",
        printable_path(.0)
    )]
    Name(PathBuf),
    /// The pool has no room for the shared instances of the plugin.
    #[error(
        "{sidecar}: shared-instances: there is no room for {count} more instances; see plugins.instances",
        sidecar = printable_path(.sidecar)
    )]
    NoRoom {
        /// The sidecar that asks for them.
        sidecar: PathBuf,
        /// The number of shared instances.
        count: u32,
    },
    /// The component exports no event.
    #[error("{}: exports no event of postgate:plugin@0.1, so it would never be called", printable_path(.0))]
    NoEvent(PathBuf),
    /// The plugin failed when it was tried out.
    #[error("{file}: {error}", file = printable_path(file))]
    Plugin {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: PluginError,
    },
    /// The sidecar has a mistake.
    #[error(transparent)]
    Sidecar(#[from] ConfigError),
    /// The file is too large.
    #[error("{file}: {size} octets are more than {key} of {limit}", file = printable_path(file))]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size in octets.
        size: u64,
        /// The limit in octets.
        limit: u64,
        /// The setting or rule that defines the limit.
        key: &'static str,
    },
}

impl LoadError {
    /// True if the same file may load at another time: the machine or other sessions can be the cause.
    pub(crate) fn is_transient(&self) -> bool {
        self.host_cause().is_some()
            || matches!(
                self,
                Self::Io { .. } | Self::NoRoom { .. } | Self::Plugin { .. }
            )
            || matches!(self, Self::Compiler { error, .. } if error.is_transient())
    }

    /// The cause in logs and metrics if the host has failed, and neither the file nor the plugin:
    /// `compiler`, `file`, `instances`, `memory`, or a cause of
    /// [`HostFault::cause`](crate::HostFault::cause).
    pub fn host_cause(&self) -> Option<&'static str> {
        match self {
            Self::Compiler { error, .. } => error.host_cause(),
            Self::Full(_) => Some("instances"),
            Self::Io { error, .. } if is_lack(error) => Some("file"),
            Self::Plugin {
                error: PluginError::Host(fault),
                ..
            } => Some(fault.cause()),
            _ => None,
        }
    }

    /// The error of the compiler for this file.
    pub(crate) fn of_compiler(error: CompilerError, file: &Path) -> Self {
        Self::Compiler {
            file: file.to_owned(),
            error,
        }
    }
}

/// Loading collects all reasons; a step that finds one ends it.
impl From<LoadError> for Vec<LoadError> {
    fn from(error: LoadError) -> Self {
        vec![error]
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use rustix::io::Errno;

    use super::*;
    use crate::error::HostFault;

    #[test]
    fn what_the_machine_lacks_is_not_the_fault_of_a_file() {
        let file = || "10-a.wasm".into();
        let io = |error: io::Error| LoadError::Io {
            file: file(),
            error,
        };
        let compiler = |error| LoadError::Compiler {
            file: file(),
            error,
        };
        let plugin = |error| LoadError::Plugin {
            file: file(),
            error,
        };
        let no_memory = || io::Error::from(Errno::NOMEM);
        let killed = ExitStatus::from_raw(libc::SIGKILL);
        let failed = ExitStatus::from_raw(libc::SIGSEGV);
        let table = [
            (io(Errno::MFILE.into()), Some("file")),
            (io(Errno::IO.into()), Some("file")),
            (io(ErrorKind::NotFound.into()), None),
            (io(ErrorKind::PermissionDenied.into()), None),
            (compiler(CompilerError::Io(no_memory())), Some("compiler")),
            (
                compiler(CompilerError::Code(no_memory().into())),
                Some("memory"),
            ),
            (
                compiler(CompilerError::Ended {
                    status: killed,
                    said: String::new(),
                }),
                Some("compiler"),
            ),
            (
                compiler(CompilerError::Ended {
                    status: failed,
                    said: String::new(),
                }),
                None,
            ),
            (compiler(CompilerError::Nested), None),
            (
                plugin(HostFault::Room(no_memory().into()).into()),
                Some("memory"),
            ),
            (plugin(HostFault::Dns.into()), Some("dns")),
            (plugin(PluginError::Init("no".into())), None),
            (LoadError::Full(file()), Some("instances")),
            (LoadError::NoEvent(file()), None),
        ];
        for (error, cause) in table {
            assert_eq!(error.host_cause(), cause, "{error}");
            assert!(cause.is_none() || error.is_transient(), "{error}");
        }
    }
}
