//! CPU time and memory of this process, from `/proc` (zero where there is none).

use std::ffi::{c_int, c_long};
use std::time::{Duration, Instant};

/// Linux reports CPU time in ticks of a hundredth of a second, whatever the kernel's own tick is.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of all threads so far, to 10 ms.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the command, is in parentheses and may hold spaces. utime and stime are fields 14 and 15.
    let after_command = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_command.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}

/// What one thread spent on a piece of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spent {
    /// By the clock on the wall.
    pub wall: Duration,
    /// On the CPU: less than `wall` by what the thread was kept from running.
    pub cpu: Duration,
    /// Page faults that the kernel served with memory.
    pub faults: u64,
}

/// Runs `work` and says what this thread spent on it.
pub fn spent<T>(work: impl FnOnce() -> T) -> Spent {
    let (cpu, faults, started) = (thread_cpu_time(), thread_faults(), Instant::now());
    std::hint::black_box(work());
    let wall = started.elapsed();
    Spent { wall, cpu: thread_cpu_time().saturating_sub(cpu), faults: thread_faults() - faults }
}

fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists and the result has its type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(target_os = "linux")]
fn thread_faults() -> u64 {
    // SAFETY: zeros are a `rusage`, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    usage.ru_minflt as u64
}

#[cfg(not(target_os = "linux"))]
fn thread_faults() -> u64 {
    0
}

/// Bytes resident now.
pub fn resident_bytes() -> u64 {
    status_kib("VmRSS:") * 1024
}

/// The most bytes resident since the start, or since [`reset_peak_memory`].
pub fn peak_bytes() -> u64 {
    status_kib("VmHWM:") * 1024
}

/// Starts [`peak_bytes`] anew; without effect where the kernel does not allow it.
pub fn reset_peak_memory() {
    // Best effort: a sandbox may refuse it, and the peak is then that of the process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

unsafe extern "C" {
    fn mi_option_get(option: c_int) -> c_long;
    fn mi_option_set(option: c_int, value: c_long);
}

/// Touches `mib` MiB of heap and frees them again, for all that is measured to allocate from, and keeps the allocator from giving them back.
///
/// Memory that no process has touched before is a matter of the machine: on a virtual one, whose host backs a page only now, a fault of
/// 2 MiB takes milliseconds, several times what an epoch takes, and it hits whoever asks next.
pub fn warm_heap(mib: usize) {
    /// `mi_option_purge_delay`, and the milliseconds that it has at first: should another version number its options otherwise, nothing is set.
    const PURGE_DELAY: (c_int, c_long) = (15, 1000);
    /// Never.
    const NO_PURGE: c_long = -1;
    // SAFETY: both functions take any number, and may be called at any time.
    unsafe {
        if mi_option_get(PURGE_DELAY.0) == PURGE_DELAY.1 {
            mi_option_set(PURGE_DELAY.0, NO_PURGE);
        }
    }
    let blocks: Vec<Vec<u8>> = (0..mib).map(|_| std::hint::black_box(vec![1; 1 << 20])).collect();
    drop(blocks);
}
