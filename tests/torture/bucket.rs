//! The object store under fire: a folder, or an S3 server inside this program behind a proxy that does
//! to requests what networks and servers do to them.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::faulty_proxy::{self, FaultyProxy};
use crate::s3::{self, S3Server};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kept {
    /// In S3, with faults of its own
    S3,
    /// In the data folder, on the disk that runs full
    Folder,
}

/// What S3 does for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Answers 500 and 503.
    Fails,
    /// Connections end before, in the middle of, and after what was asked.
    Cuts,
    /// Answers late, and now and then so late that nobody waits any more.
    Slow,
}

/// Nodes give up on a request so soon that troubles outlast them now and then: then scans are put back
/// and files stay in their folders.
const IMPATIENT: &str = "attempts = 4\nrequest_seconds = 1.0\nstall_seconds = 1.0";

pub struct Bucket {
    server: S3Server,
    proxy: FaultyProxy,
}

impl Bucket {
    pub fn open() -> Self {
        let server = S3Server::start();
        let proxy = FaultyProxy::to(server.port);
        Self { server, proxy }
    }

    /// Lines of the configuration of every node.
    pub fn settings(&self) -> String {
        s3::settings_text(self.proxy.port, IMPATIENT)
    }

    /// What a node is told of it otherwise.
    pub fn environment() -> [(&'static str, String); 3] {
        [
            ("UKETSUKE_OBJECTS", format!("s3://{}", s3::PLACE)),
            ("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY.to_owned()),
        ]
    }

    /// The objects as the server keeps them: files under their keys.
    pub fn objects(&self) -> PathBuf {
        self.server.objects()
    }

    /// Until [`Self::mend`]. Some requests get through, as they do on such days.
    pub fn trouble(&self, trouble: Trouble, seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        self.proxy.plan(move || {
            use faulty_proxy::Fault::{Answer, CutAnswer, CutRequest, Late, LoseAnswer, Pass};
            match (trouble, random.random_range(0..6)) {
                (_, 0) => Pass,
                (Trouble::Fails, 1..=3) => Answer(500),
                (Trouble::Fails, _) => Answer(503),
                (Trouble::Cuts, 1 | 2) => CutRequest,
                (Trouble::Cuts, 3 | 4) => CutAnswer(random.random_range(0..100_000)),
                (Trouble::Cuts, _) => LoseAnswer,
                (Trouble::Slow, 1) => Late(Duration::from_millis(2_500)),
                (Trouble::Slow, _) => Late(Duration::from_millis(random.random_range(50..600))),
            }
        });
    }

    pub fn mend(&self) {
        self.proxy.next(&[]);
    }
}
