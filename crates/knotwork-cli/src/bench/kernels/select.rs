//! Which cases: by parts of their names.

use anyhow::{Result, bail};

use super::case::Case;

/// Names that are listed at most where one is not known.
const NEAR: usize = 5;

/// The places of the cases whose names contain one of the words; all where there is no word.
///
/// # Errors
/// Where a word is part of no name; the message lists those near it.
pub fn select(all: &[Case], words: &[String]) -> Result<Vec<usize>> {
    for word in words {
        if all.iter().all(|c| !fits(c, word)) {
            bail!(
                "no case has `{word}` in its name; near it: {} (`--list` shows all)",
                near(all, word).join(", ")
            );
        }
    }
    let taken = |c: &Case| words.is_empty() || words.iter().any(|word| fits(c, word));
    Ok((0..all.len()).filter(|&i| taken(&all[i])).collect())
}

fn fits(case: &Case, word: &str) -> bool {
    case.name.to_lowercase().contains(&word.to_lowercase())
}

/// The families and names that are most like a word.
fn near(all: &[Case], word: &str) -> Vec<String> {
    let mut names: Vec<&str> = all.iter().flat_map(|c| [c.family(), c.name.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let word = word.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&word, name);
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    names.into_iter().take(NEAR).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{case::Size, cases},
        *,
    };

    fn names(words: &[&str]) -> Result<Vec<String>> {
        let all = cases::all(Size::Tiny);
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Ok(select(&all, &words)?.into_iter().map(|i| all[i].name.clone()).collect())
    }

    #[test]
    fn words_are_parts_of_names() {
        assert_eq!(names(&["matmul/16"]).unwrap(), ["matmul/16"]);
        let two = names(&["Softmax/first", "cumsum/reverse"]).unwrap();
        assert!(two.len() > 1 && two.iter().any(|n| n.starts_with("cumsum/reverse_last")), "{two:?}");
        assert_eq!(names(&[]).unwrap().len(), cases::all(Size::Tiny).len());
    }

    #[test]
    fn names_near_an_unknown_one_are_told() {
        let error = names(&["matmul", "sofmax"]).unwrap_err().to_string();
        assert!(error.contains("`sofmax`") && error.contains("near it: softmax"), "{error}");
    }
}
