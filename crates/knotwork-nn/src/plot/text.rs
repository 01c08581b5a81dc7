//! Text in pictures: how wide it is, where to break it, numbers in few characters.

/// The advances of the characters ' ' to '~' of Arimo, in 1/2048 of the font's size. Helvetica and Arial have the same.
const ADVANCES: [u16; 95] = [
    569, 569, 727, 1139, 1139, 1821, 1366, 391, 682, 682, 797, 1196, 569, 682, 569, 569, 1139, 1139, 1139,
    1139, 1139, 1139, 1139, 1139, 1139, 1139, 569, 569, 1196, 1196, 1196, 1139, 2079, 1366, 1366, 1479, 1479,
    1366, 1251, 1593, 1479, 569, 1024, 1366, 1139, 1706, 1479, 1593, 1366, 1593, 1479, 1366, 1251, 1479,
    1366, 1933, 1366, 1366, 1251, 569, 569, 569, 961, 1139, 682, 1139, 1139, 1024, 1139, 1139, 569, 1139,
    1139, 455, 455, 1024, 455, 1706, 1139, 1139, 1139, 1139, 682, 1024, 569, 1139, 1024, 1479, 1024, 1024,
    1024, 684, 532, 684, 1196,
];

/// The advance of a character in ems: exact for ASCII, about right for letters of other alphabets, an em for ideographs.
fn advance(c: char) -> f64 {
    match c {
        ' '..='~' => f64::from(ADVANCES[c as usize - ' ' as usize]) / 2048.0,
        '\0'..='\u{2fff}' => 0.6,
        _ => 1.0,
    }
}

/// How much wider DejaVu Sans, which readers of SVG take where they have neither Helvetica nor Arial, is than those.
const WIDEST: f64 = 1.16;

/// How wide a text is in Arimo, Helvetica and Arial.
pub(super) fn exact(text: &str, size: f64) -> f64 {
    size * text.chars().map(advance).sum::<f64>()
}

/// How much room a text of that size needs, in whatever sans-serif font it is drawn.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    WIDEST * exact(text, size)
}

/// The text, or as much of its beginning as fits with an ellipsis.
pub(super) fn shortened(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.into();
    }
    let mut room = width - text_width("…", size);
    let mut short: String = text
        .chars()
        .take_while(|&c| {
            room -= WIDEST * size * advance(c);
            room >= 0.0
        })
        .collect();
    short.truncate(short.trim_end().len());
    short + "…"
}

/// The text in at most `most` lines, broken at spaces where it can be; what does not fit is left out with an ellipsis.
pub(super) fn wrapped(text: &str, size: f64, width: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if full || text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.iter().map(|line| shortened(line, size, width)).collect()
}

/// A number in few characters, exact to a hundredth of `step`.
pub(super) fn short(v: f64, step: f64) -> String {
    let size = v.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&size) {
        let text = format!("{v:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = if mantissa.contains('.') {
            mantissa.trim_end_matches('0').trim_end_matches('.')
        } else {
            mantissa
        };
        return format!("{mantissa}e{exponent}");
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{v:.decimals$}")
}

/// Three significant digits.
pub(super) fn tidy(v: f64) -> String {
    let text = short(v, 10f64.powf(v.abs().log10().floor() - 2.0));
    let trim = text.contains('.') && !text.contains('e');
    if trim { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A count, its thousands apart.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (k, c) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// "1 edge", "2 edges".
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_asked() {
        assert!((exact("Hello", 2048.0) - f64::from(1479 + 1139 + 455 + 455 + 1139)).abs() < 1e-9);
        assert!(text_width("Hello", 12.0) > 1.1 * exact("Hello", 12.0));
        assert_eq!(shortened("horsepower", 12.0, 100.0), "horsepower");
        let cut = shortened("horsepower of the engine", 12.0, 100.0);
        assert!(
            cut.starts_with("horsepower") && cut.ends_with('…') && text_width(&cut, 12.0) <= 100.0,
            "{cut}"
        );
        assert_eq!(shortened("abc", 12.0, 0.0), "…");
        assert_eq!(wrapped("2 sin(3 x) + 1", 10.0, 46.0, 3), ["2 sin(3", "x) + 1"]);
        let two = wrapped("a very long formula of many words", 10.0, 50.0, 2);
        assert!(two.len() == 2 && two[1].ends_with('…'), "{two:?}");
        assert!(wrapped(" ", 10.0, 50.0, 2).is_empty());
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 1.0, -0.5, 0.012345, 1234.5, 1e-9, -2.5e7, 0.1 + 0.2, 99.99];
        assert_eq!(numbers.map(tidy), ["0", "1", "-0.5", "0.0123", "1234", "1e-9", "-2.5e7", "0.3", "100"]);
        assert_eq!(
            (count(7), count(1000), count(1_234_567)),
            ("7".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!((counted(1, "edge"), counted(0, "edge")), ("1 edge".into(), "0 edges".into()));
    }
}
