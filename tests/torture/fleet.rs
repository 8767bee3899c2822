//! The processes under fire: `uketsuke serve` in several roles, their readers, and the private
//! PostgreSQL that they share. What ends is started again, as a supervisor would.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::site::{Site, signal};

/// What the nodes do. Two take in from the same folders, two work.
const ROLES: [&str; 3] = ["intake", "work", "intake,work"];

/// A supervisor's pause before it starts a process again.
const PAUSE: Duration = Duration::from_millis(300);

/// How long a node may take to start while nothing is done to it.
const STARTING: Duration = Duration::from_secs(120);

/// How long a process that was told to stop may take to finish what it has.
const DRAINING: Duration = Duration::from_secs(180);

pub struct Fleet<'a> {
    site: &'a Site,
    drop: PathBuf,
    /// Objects are in S3.
    with_bucket: bool,
    nodes: Vec<Node>,
    /// Processes that ended without having been killed: the database was away when they started.
    pub ended_by_themselves: u32,
}

struct Node {
    roles: &'static str,
    child: Option<Child>,
    not_before: Instant,
    log: PathBuf,
    /// Where the log of the running process begins.
    log_from: u64,
}

impl<'a> Fleet<'a> {
    pub fn new(site: &'a Site, drop: &Path, with_bucket: bool) -> Self {
        let node = |(number, roles)| Node {
            roles,
            child: None,
            not_before: Instant::now(),
            log: site.folder().join(format!("node-{number}.log")),
            log_from: 0,
        };
        let nodes = ROLES.into_iter().enumerate().map(node).collect();
        Self { site, drop: drop.to_owned(), with_bucket, nodes, ended_by_themselves: 0 }
    }

    pub fn start_missing(&mut self) {
        for node in &mut self.nodes {
            if let Some(child) = &mut node.child
                && child.try_wait().expect("a child").is_some()
            {
                self.ended_by_themselves += 1;
                node.gone();
            }
            if node.child.is_none() && Instant::now() >= node.not_before {
                let log = OpenOptions::new().create(true).append(true).open(&node.log).expect("a log");
                node.log_from = log.metadata().expect("a log").len();
                let mut command = self.site.command(&["serve", "--listen", "127.0.0.1:0"]);
                command.args(["--roles", node.roles, "--drop"]).arg(&self.drop).env("UKETSUKE_LOG", "info");
                if self.with_bucket {
                    command.envs(Bucket::environment());
                }
                let child = command.stdout(Stdio::null()).stderr(log).spawn();
                node.child = Some(child.expect("the service starts"));
            }
        }
    }

    /// Waits until every node runs: a fleet that never did would lose nothing either.
    pub fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + STARTING;
        while let Some(node) = self.nodes.iter().find(|node| !node.is_ready()) {
            let log = || fs::read_to_string(&node.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "a node with {} does not start: {}", node.roles, log());
            std::thread::sleep(Duration::from_millis(100));
            self.start_missing();
        }
    }

    /// Nodes that take in, and do nothing else.
    pub fn intakes(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&number| self.nodes[number].roles == "intake").collect()
    }

    pub fn workers(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&number| self.nodes[number].roles.contains("work")).collect()
    }

    pub fn process(&self, node: usize) -> Option<u32> {
        self.nodes[node].child.as_ref().map(Child::id)
    }

    /// Kills a node with SIGKILL; false if it does not run.
    pub fn kill(&mut self, node: usize) -> bool {
        let node = &mut self.nodes[node];
        let Some(child) = &mut node.child else { return false };
        child.kill().expect("a child can be killed");
        child.wait().expect("a child");
        node.gone();
        true
    }

    /// Tells a node to stop, and waits until it has; false if it failed. One that is still starting
    /// has nothing in hand, and is killed: it may end for other reasons than being told to.
    pub fn drain_one(&mut self, node: usize) -> bool {
        if !self.nodes[node].is_ready() {
            self.kill(node);
            return true;
        }
        let node = &mut self.nodes[node];
        let Some(child) = &mut node.child else { return true };
        signal(child.id(), "TERM");
        let deadline = Instant::now() + DRAINING;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break Some(status);
            }
            if Instant::now() > deadline {
                child.kill().expect("a child can be killed");
                child.wait().expect("a child");
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        node.gone();
        status.is_some_and(|status| status.success())
    }

    /// Tells every node to stop; false if one failed.
    pub fn drain(&mut self) -> bool {
        let results: Vec<bool> = (0..self.nodes.len()).map(|node| self.drain_one(node)).collect();
        results.into_iter().all(|done| done)
    }

    /// Reader processes of all nodes.
    pub fn readers(&self) -> Vec<u32> {
        let nodes = (0..self.nodes.len()).filter_map(|node| self.process(node));
        nodes.flat_map(children).filter(|&process| is_reader(process)).collect()
    }
}

impl Node {
    fn is_ready(&self) -> bool {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = log.get(self.log_from as usize..).unwrap_or_default();
        String::from_utf8_lossy(log).contains("ready address=")
    }

    fn gone(&mut self) {
        self.child = None;
        self.not_before = Instant::now() + PAUSE;
    }
}

/// The private server, while it runs.
pub fn postmaster(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postgres/data/postmaster.pid")).ok()?;
    let process = text.lines().next()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    (name.trim() == "postgres").then_some(process)
}

/// The server's processes, connections among them.
pub fn backends(data: &Path) -> Vec<u32> {
    postmaster(data).map(children).unwrap_or_default()
}

/// SIGKILL for what may have ended meanwhile.
pub fn kill(process: u32) {
    let _ = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).output();
}

fn children(parent: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").expect("proc");
    let processes = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    processes
        .filter(|process| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let behind_name = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            behind_name.split(' ').nth(1) == Some(parent.to_string().as_str())
        })
        .collect()
}

fn is_reader(process: u32) -> bool {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    arguments.split(|&byte| byte == 0).nth(1) == Some(b"reader")
}
