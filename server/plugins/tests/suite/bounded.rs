//! What a component may take before it runs: the process that has it is bounded, and ended with whoever waits for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lessor_plugins::{Misfit, Worker};

use crate::crafted::{component_of, function};
use crate::rig::{Rig, component, spec, until, worker};

/// The only reason why the component does not fit.
async fn reason(worker: Worker, component: Vec<u8>) -> String {
    let unfit =
        Rig::with_worker(worker).prepare(spec("list"), component).await.expect_err("it takes too much");
    assert!(matches!(unfit.misfits[..], [Misfit::Overspent { .. } | Misfit::Failed { .. }]), "{unfit}");
    unfit.misfits[0].to_string()
}

/// The target list, and beside it so many conversions of numbers, which become ten times as much machine code.
fn conversions(count: usize) -> Vec<u8> {
    let code = [&[0x44][..], &[0; 8], &[0xb1, 0xba].repeat(count), &[0x1a]].concat();
    let beside = component_of(&[function(0, &code)]);
    [component("target-list"), beside[8..].to_vec()].concat()
}

#[tokio::test]
async fn compiling_takes_no_more_memory_than_it_may() {
    let mut small = worker();
    small.compiling.memory_bytes = 384 << 20;
    assert_eq!(
        reason(small.clone(), conversions(250_000)).await,
        "compiling it takes more than 384 MiB of memory, which is the limit"
    );
    let rig = Rig::with_worker(small);
    rig.prepare(spec("list"), component("target-list")).await.expect("it takes less");
}

#[tokio::test]
async fn compiling_takes_no_more_processor_time_than_it_may() {
    let mut hurried = worker();
    hurried.compiling.cpu_s = 1;
    assert_eq!(
        reason(hurried, conversions(250_000)).await,
        "compiling it takes more than 1 s of processor time, which is the limit"
    );
}

#[tokio::test]
async fn looking_is_bounded_as_well() {
    let mut small = worker();
    small.looking.memory_bytes = 64 << 20;
    let large = vec![0; 60 << 20];
    assert_eq!(
        reason(small, large).await,
        "looking through it takes more than 64 MiB of memory, which is the limit"
    );
    let mut short = worker();
    short.looking.answer_bytes = 0;
    assert_eq!(
        reason(short, component("target-list")).await,
        "looking through it takes more than 0 MiB for what comes of it, which is the limit"
    );
}

/// A program that writes its process ID into a file and then does something else than a worker.
fn impostor(folder: &Path, then: &str) -> (Worker, PathBuf) {
    let pid = folder.join("pid");
    let script = format!("echo $$ > {}\n{then}\n", pid.display());
    (Worker::new("/bin/sh".into(), &["-c", &script, "worker"]), pid)
}

fn is_there(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}

#[tokio::test]
async fn a_process_that_does_not_answer_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut worker, pid) = impostor(folder.path(), "exec sleep 1000");
    worker.looking.wall = Duration::from_secs(4);
    assert_eq!(
        reason(worker, component("target-list")).await,
        "looking through it takes more than 4 s, which is the limit"
    );
    assert!(!is_there(&std::fs::read_to_string(pid).unwrap()), "it was ended and reaped");
}

#[tokio::test]
async fn a_process_that_floods_or_dies_is_told_of() {
    let cases = [
        ("exec yes", "looking through it takes more than 1 MiB for what comes of it, which is the limit"),
        (
            "echo mercy >&2; kill -SEGV $$",
            "looking through it failed: signal: 11 (SIGSEGV) (core dumped): mercy",
        ),
        ("exit 7", "looking through it failed: exit status: 7: "),
        ("exec yes >&2", "looking through it failed: signal: 13 (SIGPIPE): y"),
    ];
    for (then, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (worker, _) = impostor(folder.path(), then);
        let reason = reason(worker, component("target-list")).await;
        // Whether there is a core is for the machine to say.
        assert!(
            reason.replace(" (core dumped)", "").starts_with(&expected.replace(" (core dumped)", "")),
            "{reason}"
        );
    }
    let nowhere = reason(Worker::new("/nowhere".into(), &[]), component("target-list")).await;
    assert!(nowhere.starts_with("looking through it failed: No such file"), "{nowhere}");
}

#[tokio::test]
async fn a_process_that_is_killed_is_started_once_more_and_then_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (real, killed) = (env!("CARGO_BIN_EXE_lessor-plugin-worker"), folder.path().join("killed"));
    let (flag, kill) = (killed.display(), "kill -KILL $$");
    let once = format!("if [ ! -e {flag} ]; then > {flag}; {kill}; fi; exec {real} \"$@\"");
    let (worker, _) = impostor(folder.path(), &once);
    Rig::with_worker(worker).prepare(spec("list"), component("target-list")).await.expect("it fits");
    assert!(killed.exists());
    let (worker, _) = impostor(folder.path(), kill);
    let unfit = Rig::with_worker(worker).prepare(spec("list"), component("target-list")).await.unwrap_err();
    assert_eq!(unfit.misfits, [Misfit::Killed { doing: "looking through" }]);
    assert!(unfit.is_of_the_system());
}

#[tokio::test]
async fn a_look_ends_with_whoever_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, pid) = impostor(folder.path(), "exec sleep 1000");
    let rig = Rig::with_worker(worker);
    let (host, theirs) = (rig.host.clone(), component("target-list"));
    let looking = tokio::spawn(async move { host.check(spec("list"), theirs).await });
    let written = |pid: &PathBuf| std::fs::read_to_string(pid).is_ok_and(|pid| pid.ends_with('\n'));
    until("it is started", || written(&pid)).await;
    let pid = std::fs::read_to_string(&pid).unwrap();
    assert!(is_there(&pid));
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled());
    until("it is ended", || !is_there(&pid)).await;
}

#[tokio::test]
async fn a_compilation_that_began_goes_on_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let (real, waits) = (env!("CARGO_BIN_EXE_lessor-plugin-worker"), go.display());
    let when_told = format!("while [ ! -e {waits} ]; do sleep 0.01; done; exec {real} \"$@\"");
    let (worker, pid) = impostor(folder.path(), &when_told);
    std::fs::write(&go, "").unwrap();
    let rig = Rig::with_worker(worker);
    let checked = rig.host.check(spec("list"), component("target-list")).await.unwrap();
    for left_over in [&go, &pid] {
        std::fs::remove_file(left_over).unwrap();
    }
    let host = rig.host.clone();
    let compiling = tokio::spawn(async move { host.compile(checked).await.map(drop) });
    until("it is started", || pid.exists()).await;
    compiling.abort();
    assert!(compiling.await.unwrap_err().is_cancelled());
    std::fs::write(&go, "").unwrap();
    until("it is kept", || std::fs::read_dir(&rig.cache).unwrap().count() == 1).await;
}
