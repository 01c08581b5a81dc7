//! The IDX format of the MNIST files, gzipped: a magic number that says type and dimensions, sizes, bytes.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use knotwork::nn::{Dataset, Labels};

/// No IDX file that this example could learn from within minutes is larger.
const MOST: u64 = 1 << 28;

/// The sizes and bytes of a gzipped IDX file of bytes with that many dimensions.
fn read(path: &Path, dimensions: u8) -> Result<(Vec<usize>, Vec<u8>)> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let mut bytes = Vec::new();
    let whole = GzDecoder::new(file).take(MOST).read_to_end(&mut bytes);
    whole.with_context(|| format!("{} cannot be unpacked", path.display()))?;
    let head = 4 + 4 * usize::from(dimensions);
    ensure!(
        bytes.len() >= head && bytes[..4] == [0, 0, 8, dimensions],
        "{} is no IDX file of bytes in {dimensions} dimensions",
        path.display()
    );
    let size = |at: &[u8]| at.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    let sizes: Vec<usize> = bytes[4..head].chunks_exact(4).map(size).collect();
    let values = bytes.split_off(head);
    let want = sizes.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    ensure!(
        want == Some(values.len()),
        "{} should hold {sizes:?} bytes and holds {}",
        path.display(),
        values.len()
    );
    Ok((sizes, values))
}

/// Images as features in −1..1, digits as classes.
pub fn dataset(images: &Path, labels: &Path) -> Result<Dataset> {
    let (sizes, pixels) = read(images, 3)?;
    let (count, classes) = read(labels, 1)?;
    ensure!(
        sizes[0] == count[0],
        "{} images in {}, {} labels in {}",
        sizes[0],
        images.display(),
        count[0],
        labels.display()
    );
    let features = pixels.into_iter().map(|p| f32::from(p) / 127.5 - 1.0).collect();
    let labels = Labels::Classes { values: classes.into_iter().map(i32::from).collect(), classes: 10 };
    Ok(Dataset::new(features, sizes[1] * sizes[2], labels)?)
}
