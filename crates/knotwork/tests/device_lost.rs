//! The way to carry on after a device was lost, as docs/architecture.md has it: another device, the same graph, the last
//! checkpoint. The result is that of a training that nothing disturbed.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork::{
    Error, Update,
    gpu::raw::DeviceExt,
    nn::{AdamW, Checkpoint, Kan, Metadata},
    prelude::*,
};

struct Net {
    g: Graph,
    loss: Tensor,
    step: Update,
}

fn net() -> Net {
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 2.into()]).unwrap();
    let labels = g.input("labels", DType::I32, [batch]).unwrap();
    let model = Kan::new(&g, "kan", [2, 5, 3]).grid(3).seed(3).build().unwrap();
    let loss = model.forward(&x).unwrap().cross_entropy(&labels).unwrap();
    let step = AdamW::new(1e-2).minimize(&loss).unwrap();
    Net { g, loss, step }
}

fn gpu() -> Device {
    knotwork::gpu::open(&Default::default()).expect("a GPU driver: `cargo xtask setup`")
}

fn batch(k: usize) -> [(&'static str, HostTensor); 2] {
    let x = (0..16).map(|i| ((i + 5 * k) as f32 * 0.7).sin()).collect();
    let labels = (0..8).map(|i| ((i + k) % 3) as i32).collect();
    [("x", HostTensor::from_vec(x, [8, 2]).unwrap()), ("labels", HostTensor::from_vec(labels, [8]).unwrap())]
}

/// Ten steps with a checkpoint after every third; the device is destroyed before `lost`, where one is given.
fn train(lost: Option<usize>) -> (Vec<(String, Vec<f64>)>, usize) {
    let net = net();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let mut device = gpu();
    let mut program = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
    let (mut k, mut losses, mut to_lose) = (0, 0, lost);
    while k < 10 {
        if to_lose == Some(k) {
            device.wgpu().unwrap().0.destroy();
            to_lose = None;
        }
        match program.run(batch(k)).and_then(|run| run.wait()) {
            Ok(_) => k += 1,
            Err(Error::DeviceLost(lost)) => {
                assert!(lost.dispatches.iter().any(|d| d.site.file().ends_with("device_lost.rs")), "{lost}");
                losses += 1;
                device = gpu();
                program = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
                let saved = Checkpoint::load(&path).unwrap();
                saved.restore(program.params()).unwrap();
                k = saved.metadata().step as usize;
                continue;
            }
            Err(other) => std::panic::panic_any(other.to_string()),
        }
        if k % 3 == 0 {
            let metadata = Metadata { step: k as u64, ..Metadata::default() };
            Checkpoint::save(&path, program.params(), metadata).unwrap();
        }
    }
    let all = program.params().snapshot().unwrap();
    (all.into_iter().map(|(info, value)| (info.name, value.to_f64())).collect(), losses)
}

#[test]
fn a_training_whose_device_is_lost_ends_where_another_ends() {
    let (want, none) = train(None);
    let (got, one) = train(Some(8));
    assert_eq!((none, one), (0, 1));
    assert_eq!(got, want);
}

#[test]
fn a_checkpoint_of_a_lost_device_is_refused_and_the_old_one_stays() {
    let net = net();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let device = gpu();
    let mut program = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
    program.run(batch(0)).unwrap().wait().unwrap();
    Checkpoint::save(&path, program.params(), Metadata { step: 1, ..Metadata::default() }).unwrap();
    let before = std::fs::read(&path).unwrap();
    device.wgpu().unwrap().0.destroy();
    let error = Checkpoint::save(&path, program.params(), Metadata::default()).unwrap_err();
    assert!(error.to_string().contains("was lost"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
