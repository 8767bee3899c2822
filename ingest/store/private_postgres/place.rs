//! Where the server's files lie, whom they belong to, and as whom its programs run.
//!
//! PostgreSQL refuses to run as root. Started by root, its programs run as the owner of the
//! database, at first the user `postgres` of Debian's package. That user may be unable to enter a
//! folder above the data folder (/root is closed to all others): then the programs get the data
//! folder as an open file, and use it as `/proc/self/fd/9`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PrivatePostgresError;
use super::server::PORT;
use crate::account::{Account, PASSWD};
use crate::digest::Sha256;

/// Longest path of a Unix socket, its closing NUL left out (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// The file that the shell of [`Place::command`] opens; any that no program uses.
const HANDED_OVER: &str = "/proc/self/fd/9";

#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `postgres` below the data folder, absolute and without links.
    root: PathBuf,
    /// Where the socket is; [`Self::root`]`/socket`, or a short folder below /tmp.
    socket: PathBuf,
    /// As whom the programs run, where this program is root.
    account: Option<Account>,
    /// [`Self::account`] cannot enter a folder above [`Self::root`].
    closed: bool,
}

impl Place {
    /// Makes the folders, and gives them to the account that the server will run as.
    pub(super) fn prepare(data: &Path) -> Result<Self, PrivatePostgresError> {
        let failed = |path: &Path, doing| {
            let path = path.to_owned();
            move |source| PrivatePostgresError::File { path, doing, source }
        };
        fs::create_dir_all(data).map_err(failed(data, "make the data folder"))?;
        let data = fs::canonicalize(data).map_err(failed(data, "find the data folder"))?;
        let root = data.join("postgres");
        private_folder(&root).map_err(failed(&root, "make the folder"))?;
        let owner = fs::metadata(&root).map_err(failed(&root, "look at the folder"))?;
        let account = if !rustix::process::geteuid().is_root() {
            None
        } else if owner.uid() != 0 {
            // It was made by that user, or by root for that user.
            Some(Account { user: owner.uid(), group: owner.gid() })
        } else {
            let account = Account::named("postgres")
                .map_err(failed(Path::new(PASSWD), "read it"))?
                .ok_or(PrivatePostgresError::NoUser)?;
            account.own(&root).map_err(failed(&root, "give the folder to the user postgres"))?;
            Some(account)
        };
        let socket = socket_folder(&root);
        match private_folder(&socket) {
            Ok(()) => {}
            Err(source) => return Err(failed(&socket, "make the folder of the socket")(source)),
        }
        let metadata = fs::symlink_metadata(&socket).map_err(failed(&socket, "look at the folder"))?;
        let wanted = account.map_or(rustix::process::geteuid().as_raw(), |account| account.user);
        if metadata.uid() != wanted {
            // Below /tmp anybody may have made it first, with who knows what inside.
            let inside = socket.starts_with(&root);
            match account {
                Some(account) if metadata.uid() == 0 && metadata.is_dir() => {
                    account.own(&socket).map_err(failed(&socket, "give the folder to the user postgres"))?;
                }
                _ if inside => {
                    return Err(failed(&socket, "use the folder")(io::ErrorKind::PermissionDenied.into()));
                }
                _ => return Err(PrivatePostgresError::ForeignSocket { path: socket }),
            }
        } else if !metadata.is_dir() || metadata.permissions().mode() & 0o077 != 0 {
            return Err(PrivatePostgresError::ForeignSocket { path: socket });
        }
        let closed = account.is_some_and(|account| !account.can_enter(&root));
        Ok(Self { root, socket, account, closed })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// PGDATA, as this program sees it.
    pub(super) fn pgdata(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The folder of the socket, as clients see it.
    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// A path below [`Self::root`] (or that of the socket) as the server's programs see it.
    pub(super) fn seen_by_server(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.root) {
            Ok(below) if self.closed => Path::new(HANDED_OVER).join(below),
            _ => path.to_owned(),
        }
    }

    /// A command that runs as the account of the server, in a process group of its own: Ctrl-C in a
    /// terminal is for this program, which ends its work before the server goes.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self.account {
            Some(Account { user, group }) if self.closed => {
                // sh, still root, opens the folder; setpriv becomes the other user and keeps it open.
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", "exec 9<\"$0\"; exec \"$@\""]).arg(&self.root).arg("setpriv");
                shell.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                shell.args(["--clear-groups", "--"]).arg(program);
                shell
            }
            Some(Account { user, group }) => {
                let mut command = Command::new(program);
                command.uid(user).gid(group).current_dir(&self.root);
                command
            }
            None => Command::new(program),
        };
        command.process_group(0).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        for variable in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGSSLMODE"] {
            command.env_remove(variable);
        }
        command
    }

    /// Gives a file that this program made to the account of the server.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |account| account.own(path))
    }
}

impl Account {
    fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }

    /// Whether every folder above `path` lets this account through.
    fn can_enter(self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|folder| {
            fs::metadata(folder).is_ok_and(|metadata| {
                let shift = match metadata {
                    ref folder if folder.uid() == self.user => 6,
                    ref folder if folder.gid() == self.group => 3,
                    _ => 0,
                };
                metadata.mode() >> shift & 1 == 1
            })
        })
    }
}

/// Beside the database, or where that path is too long for a socket, a folder below /tmp that
/// follows from it, so that a second program finds it.
fn socket_folder(root: &Path) -> PathBuf {
    let beside = root.join("socket");
    let socket = beside.join(format!(".s.PGSQL.{PORT}"));
    if socket.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return beside;
    }
    let name = Sha256::of(root.as_os_str().as_bytes()).to_string();
    PathBuf::from(format!("/tmp/uketsuke-{}", &name[..16]))
}

fn private_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_socket_that_follows_from_it() {
        let long = PathBuf::from("/").join("d".repeat(100)).join("postgres");
        let folder = socket_folder(&long);
        assert!(folder.starts_with("/tmp") && folder.as_os_str().len() < 40, "{folder:?}");
        assert_eq!(folder, socket_folder(&long));
        assert_eq!(socket_folder(Path::new("/data/postgres")), Path::new("/data/postgres/socket"));
    }
}
