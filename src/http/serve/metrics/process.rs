//! Metrics of the process from Linux's procfs, under the names that Prometheus's client libraries
//! use. They are read at each scrape and absent on other systems.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Collector for the process's resource usage.
#[derive(Debug)]
pub(super) struct Process;

/// Resource usage of the process.
struct Usage {
    resident_bytes: u64,
    virtual_bytes: u64,
    cpu_seconds: f64,
    started_at: f64,
    open_files: u64,
    max_files: u64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without procfs only these metrics are missing.
        let Some(usage) = usage() else { return Ok(()) };
        let seconds = Some(&Unit::Seconds);
        let help = "CPU time that the process has used, in user and system mode";
        encoder
            .encode_descriptor("process_cpu", help, seconds, MetricType::Counter)?
            .encode_counter::<[(&str, &str); 0], _, f64>(&usage.cpu_seconds, None)?;
        let help = "Start time of the process, in seconds since 1970";
        encoder
            .encode_descriptor("process_start_time", help, seconds, MetricType::Gauge)?
            .encode_gauge(&usage.started_at)?;
        let gauges = [
            ("process_resident_memory", "Resident memory of the process", Some(&Unit::Bytes), usage.resident_bytes),
            ("process_virtual_memory", "Virtual memory of the process", Some(&Unit::Bytes), usage.virtual_bytes),
            ("process_open_fds", "Open file descriptors, including connections", None, usage.open_files),
            ("process_max_fds", "Maximum number of open file descriptors", None, usage.max_files),
        ];
        for (name, help, unit, value) in gauges {
            encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "seconds and ticks are far below 2^52")]
fn usage() -> Option<Usage> {
    use procfs::WithCurrentSystemInfo as _;
    use procfs::process::LimitValue;

    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let max_files = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(most) => most,
        LimitValue::Unlimited => u64::MAX,
    };
    Some(Usage {
        resident_bytes: stat.rss_bytes().get(),
        virtual_bytes: stat.vsize,
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        started_at: procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
        open_files: process.fd_count().ok()? as u64,
        max_files,
    })
}

#[cfg(not(target_os = "linux"))]
fn usage() -> Option<Usage> {
    None
}
