//! What a reader and the libraries in it print on stderr: always drained, so that nobody blocks on
//! a full pipe, and kept only in small.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// Lines that are kept to explain a death.
const KEPT_LINES: usize = 5;

/// Bytes of a line that are kept; the rest is dropped as it comes.
const KEPT_BYTES: usize = 300;

/// Lines of one reader that are logged. After them only their number is, once it ends: a library
/// that complains of every line of every page would fill the disk.
const LOGGED_LINES: u64 = 200;

/// How long to wait for the end of stderr after the reader's own: someone else may hold it open.
const DRAIN_LIMIT: Duration = Duration::from_millis(500);

/// A reader's stderr while it is drained.
pub(super) struct Chatter {
    lines: Arc<Mutex<Lines>>,
    drain: JoinHandle<()>,
}

impl Chatter {
    /// Reads `stderr` to its end in a task of its own and logs it under the reader's `pid`.
    pub fn drain(mut stderr: impl AsyncRead + Unpin + Send + 'static, pid: u32) -> Self {
        let lines = Arc::new(Mutex::new(Lines::default()));
        let taken = lines.clone();
        let drain = tokio::spawn(async move {
            let mut buffer = vec![0; 8192];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                let mut lines = taken.lock().unwrap_or_else(PoisonError::into_inner);
                lines.take(&buffer[..count], |line| tracing::debug!(reader = pid, "says: {line}"));
            }
            let dropped =
                taken.lock().unwrap_or_else(PoisonError::into_inner).count.saturating_sub(LOGGED_LINES);
            if dropped > 0 {
                tracing::debug!(reader = pid, "said {dropped} lines more, which were not logged");
            }
        });
        Self { lines, drain }
    }

    /// The last lines, once the reader has ended.
    pub async fn last_lines(mut self) -> Vec<String> {
        if tokio::time::timeout(DRAIN_LIMIT, &mut self.drain).await.is_err() {
            self.drain.abort();
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).last()
    }
}

/// Cuts bytes into lines and keeps the last of them.
#[derive(Default)]
struct Lines {
    kept: VecDeque<String>,
    /// The line that is not finished yet.
    open: Vec<u8>,
    count: u64,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut log: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = match piece {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            let room = KEPT_BYTES - self.open.len();
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.close(&mut log);
            }
        }
    }

    fn close(&mut self, log: &mut impl FnMut(&str)) {
        let line = printable(&std::mem::take(&mut self.open));
        if line.trim().is_empty() {
            return;
        }
        self.count += 1;
        if self.count <= LOGGED_LINES {
            log(&line);
        }
        if self.kept.len() == KEPT_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(line);
    }

    /// The lines kept, one that was cut off by the end included.
    fn last(&mut self) -> Vec<String> {
        self.close(&mut |_| ());
        self.kept.iter().cloned().collect()
    }
}

/// Text on one line, whatever the bytes: control characters are escaped.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        let mut lines = Lines::default();
        for number in 0..20 {
            lines.take(format!("line {number}\n\n").as_bytes(), |_| ());
        }
        lines.take(&[b'x'; 10_000], |_| ());
        lines.take(&[b'x'; 10_000], |_| ());
        let last = lines.last();
        assert_eq!(last[..4], ["line 16", "line 17", "line 18", "line 19"]);
        assert_eq!(last[4].len(), KEPT_BYTES);
    }

    #[test]
    fn no_more_is_logged_than_promised() {
        let (mut lines, mut logged) = (Lines::default(), 0);
        lines.take("on and on\n".repeat(100_000).as_bytes(), |_| logged += 1);
        assert_eq!(logged, LOGGED_LINES);
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(printable(b"a\x1b[2Jb\xff"), "a\\u{1b}[2Jb\u{fffd}");
    }
}
