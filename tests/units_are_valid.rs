//! The shipped systemd units are what systemd understands, and confine the service.

use std::path::Path;
use std::process::Command;

/// `systemd-analyze security` counts from 0 (confined) to 10.
const MOST_EXPOSURE: f64 = 2.5;

fn systemd_analyze() -> Option<Command> {
    let found =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("systemd is not installed here; its units are not checked");
    }
    found.then(|| Command::new("systemd-analyze"))
}

#[test]
fn systemd_understands_every_line_and_calls_the_service_confined() {
    let Some(mut verify) = systemd_analyze() else { return };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd");
    let folder = tempfile::tempdir().expect("a folder");
    verify.arg("verify");
    let mut services = Vec::new();
    for entry in std::fs::read_dir(shipped).expect("units").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a unit");
        let unit = folder.path().join(entry.file_name());
        // The program is not installed where the units expect it.
        std::fs::write(&unit, text.replace("/opt/uketsuke/bin/uketsuke", env!("CARGO_BIN_EXE_uketsuke")))
            .expect("written");
        verify.arg(&unit);
        if unit.extension().is_some_and(|kind| kind == "service") {
            services.push(unit);
        }
    }
    let output = verify.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    assert_eq!(services.len(), 2);
    for service in services {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&service)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let exposure: f64 = said
            .lines()
            .last()
            .and_then(|line| line.split(": ").nth(1)?.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{said}"));
        assert!(exposure <= MOST_EXPOSURE, "{}: {exposure}", service.display());
    }
}
