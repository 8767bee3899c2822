//! What processes have used of the processor.

use std::fs;
use std::path::Path;

/// Hundredths of a second, as /proc counts on Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// Milliseconds of this process, and of the private server with its connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    pub program: f64,
    pub server: f64,
}

impl Used {
    pub fn so_far(data: &Path) -> Self {
        let server = fs::read_to_string(data.join("postgres/data/postmaster.pid"))
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
        let server = server.map_or(0.0, |server| {
            let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
            let processes = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            processes
                .filter_map(|process| {
                    let (parent, used) = parent_and_used(process)?;
                    (process == server || parent == server).then_some(used)
                })
                .sum()
        });
        let program = parent_and_used(std::process::id()).map_or(0.0, |(_, used)| used);
        Self { program, server }
    }

    pub fn since(self, before: Self) -> Self {
        Self { program: self.program - before.program, server: self.server - before.server }
    }
}

fn parent_and_used(process: u32) -> Option<(u32, f64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((fields.get(1)?.parse().ok()?, ticks / TICKS_A_SECOND * 1000.0))
}
