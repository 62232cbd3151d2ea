//! The processor time of processes as the kernel counts it. On a machine with other load this is
//! steadier than any rate. Linux only; elsewhere nothing is known.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Failure;

/// Processes whose processor time is counted.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The service.
    pub service: u32,
    /// The first process of Postgres. Its children count as well, including those that have ended.
    pub postgres: u32,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// By the service.
    pub service: Duration,
    /// By Postgres, backends included.
    pub postgres: Duration,
    /// By this process, the clients, and by children that have ended: `pgbench`.
    pub clients: Duration,
}

impl Used {
    /// The sum of all.
    pub fn total(self) -> Duration {
        self.service + self.postgres + self.clients
    }

    /// The difference from an earlier measurement.
    pub fn since(self, before: Self) -> Self {
        Self {
            service: self.service.saturating_sub(before.service),
            postgres: self.postgres.saturating_sub(before.postgres),
            clients: self.clients.saturating_sub(before.clients),
        }
    }
}

impl Processes {
    /// The processor time so far.
    pub fn used(self) -> Result<Used, Failure> {
        let mut postgres = Duration::ZERO;
        let Ok(all) = fs::read_dir("/proc") else { return Ok(Used::default()) };
        for entry in all {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // A process may end during the look.
            let Some(stat) = Stat::of(pid) else { continue };
            if pid == self.postgres {
                postgres += stat.own + stat.ended_children;
            } else if stat.parent == self.postgres {
                postgres += stat.own;
            }
        }
        let service = Stat::of(self.service).map(|stat| stat.own).unwrap_or_default();
        let clients = Stat::of(std::process::id()).map(|stat| stat.own + stat.ended_children).unwrap_or_default();
        Ok(Used { service, postgres, clients })
    }
}

impl Processes {
    /// The service's resident memory in MiB.
    pub fn resident(self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.service)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024.0)
    }
}

/// The first process of the Postgres with this data directory.
pub fn postmaster(data_dir: &Path) -> Result<u32, Failure> {
    let file = fs::read_to_string(data_dir.join("postmaster.pid"))?;
    Ok(file.lines().next().ok_or("an empty postmaster.pid")?.trim().parse()?)
}

/// Fields of `/proc/<pid>/stat`: proc(5).
struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may contain anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // Ticks of 10 ms.
        let ticks = |at: usize| Some(Duration::from_millis(10 * fields.get(at)?.parse::<u64>().ok()?));
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended_children: ticks(13)? + ticks(14)?,
        })
    }
}
