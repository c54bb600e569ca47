//! CPU time and memory of processes, from /proc (see proc(5)).

use std::fs;
use std::time::Duration;

use crate::Result;

/// utime and stime of /proc/PID/stat count in 1/100 s on Linux whatever HZ is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time used so far.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    /// On a CPU in all, exact: the first field of schedstat.
    pub run: Duration,
    /// Its user part, in ticks.
    pub user: Duration,
    /// Its system part, in ticks.
    pub system: Duration,
}

impl Cpu {
    /// The sum over `pids`, with all their threads.
    pub fn of(pids: &[u32]) -> Result<Cpu> {
        let mut cpu = Cpu::default();
        for pid in pids {
            cpu.add_process(pid)?;
        }
        Ok(cpu)
    }

    /// Of this process.
    pub fn own() -> Result<Cpu> {
        Self::of(&[std::process::id()])
    }

    pub fn since(self, start: Cpu) -> Cpu {
        Cpu {
            run: self.run.saturating_sub(start.run),
            user: self.user.saturating_sub(start.user),
            system: self.system.saturating_sub(start.system),
        }
    }

    fn add_process(&mut self, pid: &u32) -> Result<()> {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let run = text.split(' ').next().unwrap_or_default();
            self.run += Duration::from_nanos(run.parse()?);
        }

        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold spaces; utime is field 14.
        let (_, fields) = text.rsplit_once(") ").ok_or("no name in stat")?;
        let mut fields = fields.split(' ').skip(11);
        let mut ticks =
            || -> Result<u32> { Ok(fields.next().unwrap_or_default().parse()?) };
        self.user += TICK * ticks()?;
        self.system += TICK * ticks()?;
        Ok(())
    }
}

/// The proportional set size of `pids` together, in bytes.
pub fn pss(pids: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.ok_or("no Pss in smaps_rollup")?.trim();
        sum += kilobytes.trim_end_matches(" kB").parse::<u64>()? * 1024;
    }
    Ok(sum)
}
