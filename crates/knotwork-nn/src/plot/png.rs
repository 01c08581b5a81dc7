//! Pictures as PNG.

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree},
};

use super::{error::PlotError, svg::Svg};

/// How large a PNG is. The pictures themselves are 400 to some 1,500 units wide, with text of 10 to 18 units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PngSize {
    /// So many pixels for each unit of the SVG: 1 for a screen of 96 dots an inch, 2 for sharper ones.
    Scale(f64),
    /// So many pixels in a row.
    Width(u32),
}

/// The most pixels of a PNG: 4 bytes each are held while it is drawn.
const MOST: u64 = 100_000_000;
/// What a saved PNG has for each unit.
const SAVED: f64 = 2.0;

/// The picture as the bytes of a PNG file.
pub(super) fn encode(svg: &Svg, title: &str, size: PngSize) -> Result<Vec<u8>, PlotError> {
    let (w, h) = svg.size();
    let scale = match size {
        PngSize::Scale(scale) => scale,
        PngSize::Width(width) => f64::from(width) / w,
    };
    let (width, height) = ((w * scale).round(), (h * scale).round());
    // Written so that NaN is refused as well.
    if !(width >= 1.0 && height >= 1.0 && width * height <= MOST as f64) {
        return Err(PlotError::Size { title: title.into(), width, height, most: MOST });
    }
    let failed = |what: String| PlotError::Raster { title: title.into(), what };
    let tree = Tree::from_str(&svg.outlined(), &Options::default()).map_err(|e| failed(e.to_string()))?;
    let mut pixels =
        Pixmap::new(width as u32, height as u32).ok_or_else(|| failed("no memory for its pixels".into()))?;
    let transform = Transform::from_scale((width / w) as f32, (height / h) as f32);
    resvg::render(&tree, transform, &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| failed(e.to_string()))
}

/// The size of a saved PNG: twice the picture's units, less where that would be too much.
pub(super) fn saved(svg: &Svg) -> PngSize {
    let (w, h) = svg.size();
    PngSize::Scale(SAVED.min((MOST as f64 / (w * h)).sqrt() * 0.999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_saved_smaller_rather_than_not_at_all() {
        assert_eq!(saved(&Svg::new(720.0, 400.0)), PngSize::Scale(2.0));
        for (w, h) in [(1500.0, 40_000.0), (1e5, 1e5), (5001.0, 5001.0)] {
            let PngSize::Scale(scale) = saved(&Svg::new(w, h)) else { panic!("a scale") };
            let pixels = (w * scale).round() * (h * scale).round();
            assert!(scale < 2.0 && pixels <= MOST as f64 && pixels > 0.99 * MOST as f64, "{w} {h}: {pixels}");
        }
    }
}
