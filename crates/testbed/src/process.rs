//! Child processes that never outlive their parent, however it ends.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command},
    sync::{OnceLock, mpsc},
    thread,
};

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts `command` so that the kernel kills it when this process ends, also by SIGKILL.
///
/// # Errors
/// The program is not there or cannot be run.
pub fn spawn(command: Command) -> io::Result<Child> {
    // The kernel sends the signal when the *thread* that forked ends, and tests come and go on threads of their
    // own. So one thread that lives as long as the process starts them all.
    static NURSERY: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (command, reply) in inbox {
                let _ = reply.send(spawn_here(command));
            }
        });
        jobs
    });
    let (reply, answer) = mpsc::sync_channel(1);
    nursery.send((command, reply)).map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

#[expect(unsafe_code, reason = "there is no safe way to run code between fork and exec")]
fn spawn_here(mut command: Command) -> io::Result<Child> {
    let parent = rustix::process::getpid();
    let die_with_parent = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have ended before the line above; then no signal comes any more.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. The closure makes two system
    // calls (prctl, getppid), allocates nothing and takes no lock.
    unsafe { command.pre_exec(die_with_parent) };
    command.spawn()
}
