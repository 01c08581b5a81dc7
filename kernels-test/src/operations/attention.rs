//! The adapter of `attention`.

use knotwork::ops::{Attention, Mask, Normalizer};
use serde_json::Value;

use super::{Built, Call, Refusal, y};

pub(super) fn attention(c: &Call<'_>) -> Built {
    let mut options = Attention::new().alibi(c.flag("alibi")?);
    if let Some(mask) = c.attrs.get("mask") {
        options = options.mask(mask_of(c, mask)?);
    }
    if let Some(scale) = c.attrs["scale"].as_f64() {
        options = options.scale(scale);
    }
    if let Some(softcap) = c.attrs["softcap"].as_f64() {
        options = options.softcap(softcap);
    }
    if let Some(k) = c.attrs["top_k"].as_u64() {
        // Here a k beyond the row stands for the whole row.
        let keys = c.input("k")?.shape().dims()[2].fixed().unwrap_or(usize::MAX);
        options = options.top_k(usize::try_from(k).unwrap_or(usize::MAX).min(keys));
    }
    options = options.normalizer(match c.attrs["normalizer"].as_str().unwrap_or("softmax") {
        "softmax" => Normalizer::Softmax,
        "sparsemax" => Normalizer::Sparsemax,
        "entmax15" => Normalizer::Entmax15,
        other => return Err(Refusal::Unknown(format!("normalizer `{other}`"))),
    });
    y(c.input("q")?.attention(c.input("k")?, c.input("v")?, &options)?)
}

fn mask_of(c: &Call<'_>, spec: &Value) -> Result<Mask, Refusal> {
    let bad = || Refusal::Failed(format!("the mask {spec} is not of its form"));
    let (kind, argument) = spec.as_object().and_then(|o| o.iter().next()).ok_or_else(bad)?;
    let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(bad);
    let join = |with: fn(Mask, Mask) -> Mask| {
        let mut masks = argument.as_array().ok_or_else(bad)?.iter().map(|s| mask_of(c, s));
        let first = masks.next().ok_or_else(bad)??;
        masks.try_fold(first, |all, one| one.map(|one| with(all, one)))
    };
    Ok(match kind.as_str() {
        "full" => Mask::full(),
        "causal" => Mask::causal(),
        "window" => Mask::window(number(&argument[0])?, number(&argument[1])?),
        "prefix" => Mask::prefix(number(argument)?),
        "strided" => Mask::strided(number(argument)?),
        "dilated_window" => Mask::dilated_window(number(&argument[0])?, number(&argument[1])?),
        "document" => Mask::document(c.input("document")?),
        "block" => Mask::block(number(argument)?, c.input("block_mask")?),
        "and" => join(Mask::and)?,
        "or" => join(Mask::or)?,
        other => return Err(Refusal::Unknown(format!("mask `{other}`"))),
    })
}
