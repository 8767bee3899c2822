//! The disk of the data folder, and filling it: a small file system of its own, in memory, where the
//! system lets this program make one (in a mount namespace, so that it is gone with the run).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Bytes of the disk: for a fresh database, and for what a minute takes in.
const FRESH_MIB: u64 = 640;
const MIB_A_MINUTE: u64 = 160;

const FILLER: &str = "filler";

/// Set in the program that runs in a mount namespace of its own.
const INSIDE: &str = "UKETSUKE_TORTURE_INSIDE";

pub struct Disk {
    /// Why it cannot be filled.
    pub unfillable: Option<String>,
}

impl Disk {
    /// Runs this program again in a mount namespace where that is permitted.
    pub fn prepare() -> Self {
        if std::env::var_os(INSIDE).is_some() {
            return Self { unfillable: None };
        }
        let permitted =
            Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        match permitted {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Self { unfillable: Some(reason) };
            }
            Err(error) => return Self { unfillable: Some(format!("unshare: {error}")) },
        }
        let program = std::env::current_exe().expect("this program");
        let mut again = Command::new("unshare");
        let status =
            again.arg("--mount").arg(program).args(std::env::args_os().skip(1)).env(INSIDE, "1").status();
        std::process::exit(status.expect("unshare").code().unwrap_or(1));
    }

    /// Gives the data folder a disk of its own.
    pub fn mount(&self, data: &Path, duration: Duration) {
        std::fs::create_dir_all(data).expect("a data folder");
        if self.unfillable.is_some() {
            return;
        }
        let mib = FRESH_MIB + MIB_A_MINUTE * duration.as_secs().div_ceil(60);
        let size = format!("size={mib}m,mode=0755");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(data).status();
        assert!(status.expect("mount").success(), "a disk for {}", data.display());
    }

    /// Fills the disk to the last byte.
    pub fn fill(&self, data: &Path) {
        let mut filler = File::create(data.join(FILLER)).expect("a file of no bytes");
        let zeros = vec![0; 1 << 20];
        let mut piece = zeros.len();
        while piece > 0 {
            if filler.write_all(&zeros[..piece]).is_err() {
                piece /= 2;
            }
        }
    }

    pub fn make_room(&self, data: &Path) {
        std::fs::remove_file(data.join(FILLER)).expect("the filler");
    }

    /// After the run, so that its folder can be removed.
    pub fn let_go(&self, data: &Path) {
        if self.unfillable.is_none() {
            let _ = Command::new("umount").arg("--lazy").arg(data).status();
        }
    }
}
