//! Checkpoints: what is refused changes nothing, and no interruption leaves less than the last one or the one before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic of a test is its report")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use knotwork_core::{DType, Device, Graph, HostTensor, Program};
use knotwork_nn::{Adam, Checkpoint, CheckpointError, Error, Metadata};

const NONE: [(&str, HostTensor); 0] = [];

fn program(name: &str, shape: &[usize]) -> Program {
    let g = Graph::new();
    let count = shape.iter().product();
    let w = g.parameter(name, HostTensor::new(&vec![1.0f32; count], shape).unwrap()).unwrap();
    let dims: Vec<isize> = (0..shape.len() as isize).collect();
    let loss = w.square().unwrap().sum(&dims, false).unwrap();
    let step = Adam::new(0.1).minimize(&loss).unwrap();
    Device::cpu().compile(&g, &[&loss], &[&step]).unwrap()
}

fn save(path: &Path, program: &Program, epoch: u64) -> Result<(), Error> {
    Checkpoint::save(path, program.params(), Metadata { epoch, ..Metadata::default() })
}

#[test]
fn everything_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut p = program("w", &[2, 3]);
    (0..3).for_each(|_| drop(p.run(NONE).unwrap().wait().unwrap()));
    p.set_scalar("adam.lr", 0.25).unwrap();
    save(&path, &p, 3).unwrap();
    let fresh = program("w", &[2, 3]);
    let saved = Checkpoint::load(&path).unwrap();
    saved.restore(fresh.params()).unwrap();
    assert_eq!(saved.metadata().scalars["adam.lr"], 0.25);
    assert_eq!(saved.metadata().parameters, ["w"]);
    for info in p.params().list() {
        assert_eq!(
            p.params().get(&info.name).unwrap(),
            fresh.params().get(&info.name).unwrap(),
            "{}",
            info.name
        );
    }
    // Any reader of safetensors can read it.
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("w").unwrap().shape(), [2, 3]);
}

#[test]
fn a_predicting_program_takes_the_parameters_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut p = program("w", &[4]);
    p.run(NONE).unwrap().wait().unwrap();
    save(&path, &p, 1).unwrap();
    let g = Graph::new();
    let w = g.parameter("w", HostTensor::zeros(DType::F32, [4])).unwrap();
    let predict = Device::cpu().compile(&g, &[&w.mul(2.0).unwrap()], &[]).unwrap();
    let saved = Checkpoint::load(&path).unwrap();
    let e = saved.restore(predict.params()).unwrap_err().to_string();
    assert!(e.contains("it has `adam.m.w`, `adam.step`, `adam.v.w` besides"), "{e}");
    saved.restore_parameters(predict.params()).unwrap();
    assert_eq!(predict.params().get("w").unwrap(), p.params().get("w").unwrap());
}

#[test]
fn another_network_is_refused_by_names_and_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save(&path, &program("w", &[2, 3]), 1).unwrap();
    let other = program("w", &[3, 2]);
    let before = other.params().get("w").unwrap();
    let e = Checkpoint::load(&path).unwrap().restore(other.params()).unwrap_err();
    let Error::Checkpoint(CheckpointError::OtherNetwork { mismatch, .. }) = &e else { panic!("{e}") };
    assert_eq!(mismatch.misshapen.len(), 3);
    assert!(e.to_string().contains("`w` is f32[2, 3], the network's is f32[3, 2]"), "{e}");
    assert_eq!(other.params().get("w").unwrap(), before);
    let other = program("u", &[2, 3]);
    let e = Checkpoint::load(&path).unwrap().restore(other.params()).unwrap_err().to_string();
    assert!(e.contains("it lacks `u`, `adam.m.u`, `adam.v.u`"), "{e}");
    assert!(e.contains("it has `adam.m.w`, `adam.v.w`, `w` besides"), "{e}");
}

#[test]
fn damaged_files_are_refused_at_every_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save(&path, &program("w", &[5]), 1).unwrap();
    let whole = fs::read(&path).unwrap();
    for n in 0..whole.len() {
        fs::write(&path, &whole[..n]).unwrap();
        let e = Checkpoint::load(&path).unwrap_err();
        assert!(matches!(e, Error::Checkpoint(CheckpointError::Invalid { .. })), "{n}: {e}");
    }
    fs::write(&path, b"width,length\n1,2\n").unwrap();
    assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("no safetensors file"));
    let (old, new) = (b"\\\"version\\\":1,", b"\\\"version\\\":7,");
    let at = whole.windows(old.len()).position(|w| w == old).unwrap();
    let mut newer = whole.clone();
    newer[at..at + new.len()].copy_from_slice(new);
    fs::write(&path, newer).unwrap();
    let e = Checkpoint::load(&path).unwrap_err();
    assert!(matches!(e, Error::Checkpoint(CheckpointError::Version { found: 7, known: 1, .. })), "{e}");
    let plain = safetensors::serialize::<&str, safetensors::tensor::TensorView<'_>, _>([], None).unwrap();
    fs::write(&path, plain).unwrap();
    assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("but no checkpoint"));
    let e = Checkpoint::load(folder.path().join("none")).unwrap_err();
    assert!(matches!(e, Error::Checkpoint(CheckpointError::Read { .. })), "{e}");
}

/// Runs one of the `child_…` tests of this file in a process of its own.
fn child(test: &str, path: &Path) -> Command {
    let mut c = Command::new(std::env::current_exe().unwrap());
    c.args(["--exact", test, "--nocapture"]).env("KNOTWORK_TEST_CHECKPOINT", path);
    c.stdout(Stdio::null()).stderr(Stdio::null());
    c
}

fn told_path() -> Option<std::path::PathBuf> {
    std::env::var_os("KNOTWORK_TEST_CHECKPOINT").map(Into::into)
}

/// Saves in a loop until it is killed: epoch e with w = e everywhere.
#[test]
fn child_saves_in_a_loop() {
    let Some(path) = told_path() else { return };
    let p = program("w", &[4000]);
    let first = Checkpoint::load(&path).map_or(0, |c| c.metadata().epoch);
    for epoch in first + 1.. {
        p.params().set("w", &HostTensor::new(&vec![epoch as f32; 4000], [4000]).unwrap()).unwrap();
        save(&path, &p, epoch).unwrap();
        // Told only after the save has returned, over what was told before: a kill leaves no half of it.
        let mut told = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.with_extension("told"))
            .unwrap();
        told.write_all(format!("{epoch:09}").as_bytes()).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn killed_at_random_moments_a_checkpoint_always_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save(&path, &program("w", &[4000]), 0).unwrap();
    let (mut told, mut random, mut kills, mut moved) = (0u64, 12345u64, 0, 0);
    while kills < 200 {
        let mut running = child("child_saves_in_a_loop", &path).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Half of the kills come while the first saves are made, the others a little later.
        std::thread::sleep(Duration::from_micros(500 + (random >> 33) % 12_000));
        running.kill().unwrap();
        running.wait().unwrap();
        kills += 1;
        let now =
            fs::read_to_string(path.with_extension("told")).ok().and_then(|t| t.parse().ok()).unwrap_or(0);
        told = u64::max(told, now);
        let saved = Checkpoint::load(&path).unwrap();
        let epoch = saved.metadata().epoch;
        // The last save that returned, or the one that was under way.
        assert!(epoch == told || epoch == told + 1, "the checkpoint is of epoch {epoch}, {told} was told");
        if epoch > 0 {
            assert!(saved.tensors()["w"].as_slice::<f32>().unwrap().iter().all(|&x| x == epoch as f32));
        }
        moved += u64::from(epoch > 0);
        told = epoch;
    }
    assert!(moved > 100, "the children were killed before they saved anything");
}

/// Fails to save because files may not grow so large; tells the error.
#[test]
fn child_runs_out_of_space() {
    let Some(path) = told_path() else { return };
    let e = save(&path, &program("w", &[40_000]), 2).unwrap_err();
    fs::write(path.with_extension("told"), e.to_string()).unwrap();
}

#[cfg(unix)]
#[test]
fn without_space_the_old_checkpoint_stays_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save(&path, &program("w", &[100]), 1).unwrap();
    let before = fs::read(&path).unwrap();
    // Files of at most 64 blocks; the signal ignored, so that the write fails as on a full disk.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact child_runs_out_of_space"])
        .arg(std::env::current_exe().unwrap())
        .env("KNOTWORK_TEST_CHECKPOINT", &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let told = fs::read_to_string(path.with_extension("told")).unwrap();
    assert!(told.contains("a.safetensors: it was not saved (writing a temporary file beside it: "), "{told}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.safetensors", "a.told"]);
}

#[test]
fn layers_of_learned_functions_come_back() {
    use knotwork_core::ops::Attention;
    use knotwork_nn::layers::{GrKan, KanAttention, KanConv1d, KanQkvAttention};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layers.safetensors");
    let build = |seed: u64| {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [2, 4, 8]).unwrap();
        let conv = KanConv1d::new(&g, "conv", 4, 4, 3).padding(1).bias(true).seed(seed).build().unwrap();
        let own = KanAttention::new(&g, "own", 4, 8, 2).rank(3).seed(seed).build().unwrap();
        let kan = KanQkvAttention::new(&g, "kan", 8, 2).seed(seed).build().unwrap();
        let mlp = GrKan::new(&g, "mlp", 8, 8).rational(|r| r.like("silu")).seed(seed).build().unwrap();
        let y = own.forward(&conv.forward(&x).unwrap()).unwrap();
        let y = mlp.forward(&kan.forward(&y, &Attention::new()).unwrap()).unwrap();
        Device::cpu().compile(&g, &[&y], &[]).unwrap()
    };
    let (mut first, mut second) = (build(1), build(2));
    let x = HostTensor::new(&(0..64).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>(), [2, 4, 8]).unwrap();
    let run = |p: &mut Program| p.run([("x", &x)]).unwrap().wait().unwrap()[0].clone();
    let want = run(&mut first);
    assert_ne!(run(&mut second), want);
    save(&path, &first, 0).unwrap();
    Checkpoint::load(&path).unwrap().restore(second.params()).unwrap();
    assert_eq!(run(&mut second), want);
}
