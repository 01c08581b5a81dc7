//! The renderer and the network on one device: the network learns, and the picture it cleans is nearer to the true one.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../share_device/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

#[test]
fn the_network_cleans_a_frame_that_it_has_not_seen() {
    if knotwork::gpu::adapters().is_empty() {
        eprintln!("there is no GPU");
        return;
    }
    let report = example::run(24, 60).unwrap();
    assert!(report.losses.1 < 0.9 * report.losses.0, "{:?}", report.losses);
    assert!(report.cleaned > report.noisy + 1.5, "{} dB from {} dB", report.cleaned, report.noisy);
    // A BMP of three squares: its size, where the pixels begin, width and height.
    let word = |at: usize| u32::from_le_bytes(report.picture[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&report.picture[..2], b"BM");
    assert_eq!((word(2), word(10), word(18), word(22)), (report.picture.len(), 54, 72, 24));
    assert_eq!(report.picture.len(), 54 + 72 * 24 * 4);
    // The sky above is the same in all three: nothing is noisy there, and the first row in the file is the lowest.
    let top = &report.picture[54 + 72 * 23 * 4..];
    let pixel = |x: usize| &top[4 * x..4 * x + 4];
    assert_eq!(pixel(0), pixel(48));
    assert!(pixel(0)[0] > pixel(0)[2], "the sky is blue: {:?}", pixel(0));
}
