//! `knotwork devices` as a user runs it, and what `KNOTWORK_DEVICE` does where it names something that is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::process::Command;

fn devices(env: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knotwork"));
    command.arg("devices").env_remove("KNOTWORK_DEVICE");
    env.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    (String::from_utf8(out.stdout).unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn the_cpu_is_always_there() {
    let (out, _) = devices(&[("KNOTWORK_DEVICE", "cpu")]);
    assert!(out.starts_with("cpu (default)\n"), "{out}");
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_is_listed_with_limits_features_and_variants() {
    let (out, _) = devices(&[]);
    for part in ["gpu: ", "limits ", "features ", "profile ", "variants ", "matmul: ", "kan_forward: "] {
        assert!(out.contains(part), "`{part}` is missing in\n{out}");
    }
}

#[test]
fn an_unknown_device_is_named_with_those_there_are() {
    let (out, _) = devices(&[("KNOTWORK_DEVICE", "Voodoo 2")]);
    assert!(out.contains("KNOTWORK_DEVICE=Voodoo 2"), "{out}");
    assert!(out.contains("Voodoo 2`"), "{out}");
}

/// Without any driver, asking for a GPU is an error that says what would help.
#[cfg(all(feature = "gpu", target_os = "linux"))]
#[test]
fn no_gpu_at_all_says_what_to_install() {
    let none = [("VK_DRIVER_FILES", "/nonexistent.json"), ("VK_ICD_FILENAMES", "/nonexistent.json")];
    let (out, _) = devices(&[none[0], none[1], ("KNOTWORK_DEVICE", "gpu")]);
    assert!(out.contains("no GPU: no GPU driver (Vulkan, Metal or DX12) was found"), "{out}");
    assert!(out.contains("KNOTWORK_DEVICE=gpu"), "{out}");
    let (out, _) = devices(&none);
    assert!(out.starts_with("cpu (default)\n"), "{out}");
}
