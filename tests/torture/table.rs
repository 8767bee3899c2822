//! The one table: what was done, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};

use crate::bucket::Kept;
use crate::disk::Disk;
use crate::faults::{Fault, Faults};
use crate::fleet::Fleet;
use crate::stations::Content;
use crate::verdict::{Ledger, Verdict};

/// The run, as it is told at the end.
pub struct Run<'a> {
    pub seed: u64,
    pub kept: Kept,
    /// Seconds.
    pub lease: f64,
    pub struck: Duration,
    pub ledger: &'a Ledger,
    pub faults: &'a Faults<'a>,
    pub fleet: &'a Fleet<'a>,
    /// How soon another worker had the scan of one that was killed while all else was quiet.
    pub taken_over: &'a [Duration],
    pub verdict: &'a Verdict,
    pub disk: &'a Disk,
}

impl Run<'_> {
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_HORIZONTAL_ONLY);
        table.set_header([
            "",
            "under fire",
            &format!("{:.0} s, seed {}", self.struck.as_secs_f64(), self.seed),
        ]);
        let mut row = |part: &str, what: &str, count: String| {
            table.add_row([part, what, &count]);
        };
        for (manner, count) in
            tally(self.ledger.dropped.iter().map(|dropped| format!("{:?}", dropped.manner)))
        {
            row("dropped", &manner, count.to_string());
        }
        let again = self.ledger.dropped.iter().filter(|dropped| !dropped.first).count();
        row("dropped", "of these, the same bytes again", again.to_string());
        let bad = |content: &Content| !matches!(content, Content::Mail { .. });
        let bad = self.ledger.dropped.iter().filter(|dropped| bad(&dropped.content)).count();
        row("dropped", "of these, poison, cut off or never whole", bad.to_string());
        for fault in Fault::ALL {
            let count = self.faults.done.get(&fault).copied().unwrap_or_default().to_string();
            match (&self.disk.unfillable, fault) {
                (_, Fault::S3(_)) if self.kept == Kept::Folder => {
                    row("done", fault.name(), "SKIPPED: --objects folder".to_owned());
                }
                (Some(reason), Fault::FillDisk) => row("done", fault.name(), format!("SKIPPED: {reason}")),
                _ => row("done", fault.name(), count),
            }
        }
        let alone = self.fleet.ended_by_themselves.to_string();
        row("done", "nodes that ended by themselves, and were started again", alone);
        let Verdict { scans, quarantined, pages, captures, objects, .. } = self.verdict;
        row("came out", "scans, each content once", scans.to_string());
        row("came out", "of these, quarantined with a reason", quarantined.to_string());
        row("came out", "pages", pages.to_string());
        row("came out", "captures", captures.to_string());
        row("came out", "objects that rows name, all there and whole", objects.to_string());
        let seconds = |time: &Duration| format!("{:.1} s", time.as_secs_f64());
        let taken_over = self.taken_over.iter().map(seconds).collect::<Vec<_>>().join(", ");
        let what = format!("a killed worker's scan was with another after (lease {} s)", self.lease);
        row("came out", &what, taken_over);
        for (name, wrong) in self.wrong() {
            row("WRONG", name, wrong.len().to_string());
        }
        println!("{table}");
        for (name, wrong) in self.wrong() {
            for line in wrong {
                println!("{name}: {line}");
            }
        }
    }

    fn wrong(&self) -> [(&'static str, &[String]); 3] {
        let Verdict { lost, duplicated, unexplained, .. } = self.verdict;
        [("lost", lost), ("duplicated", duplicated), ("unexplained", unexplained)]
    }
}

fn tally(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    names.fold(BTreeMap::new(), |mut tally, name| {
        *tally.entry(name).or_default() += 1;
        tally
    })
}
