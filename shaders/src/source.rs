//! Looking at WGSL text: comments, identifiers, numbered excerpts.

/// `text` with every comment replaced by spaces. Lines and columns stay where they are.
pub(crate) fn blank_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut depth, mut to_line_end) = (0u32, false);
    while let Some(c) = chars.next() {
        let pair = (c, chars.peek().copied().unwrap_or('\n'));
        if c == '\n' {
            to_line_end = false;
            out.push(c);
        } else if to_line_end {
            out.push(' ');
        } else if pair == ('/', '*') || (depth > 0 && pair == ('*', '/')) {
            depth = if c == '/' { depth + 1 } else { depth - 1 };
            chars.next();
            out.push_str("  ");
        } else if depth > 0 {
            out.push(' ');
        } else if pair == ('/', '/') {
            to_line_end = true;
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out
}

/// The identifiers and numbers of `code`, in order.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The lines of `text` around `line` (1-based), numbered, the line itself marked; `radius` lines on each side.
///
/// ```
/// let shown = knotwork_shaders::excerpt("a\nb\nc\nd", 3, 1);
/// assert_eq!(shown, "    2 | b\n>   3 | c\n    4 | d\n");
/// ```
pub fn excerpt(text: &str, line: usize, radius: usize) -> String {
    let first = line.saturating_sub(radius).max(1);
    let count = line.saturating_add(radius).saturating_sub(first).saturating_add(1);
    let mut out = String::new();
    for (number, content) in (1..).zip(text.lines()).skip(first - 1).take(count) {
        let mark = if number == line { '>' } else { ' ' };
        out.push_str(&format!("{mark}{number:>4} | {content}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn comments_become_spaces_and_columns_stay() {
        assert_eq!(blank_comments("a // b\nc"), "a     \nc");
        assert_eq!(blank_comments("a /* b\n /* n */ */ c"), "a     \n            c");
        assert_eq!(blank_comments("a / b * c"), "a / b * c");
        assert_eq!(blank_comments("/*/ x */y"), "         y".replacen("         ", "        ", 1));
    }

    #[test]
    fn an_excerpt_stays_inside_the_text() {
        assert_eq!(excerpt("a\nb", 1, 5), ">   1 | a\n    2 | b\n");
        assert_eq!(excerpt("a\nb", 9, 2), "");
        assert_eq!(excerpt("a", 0, 0), "    1 | a\n");
    }
}
