//! What the library warns of (a tuned table that it ignores, a device that is lost), for people: one line each on stderr.

use std::{
    fmt::{Debug, Write as _},
    io::Write,
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Writes warnings and errors, and looks at nothing else.
struct Warnings<W>(Mutex<W>);

/// Shows the warnings of this process from now on.
pub fn show() {
    // It fails where there is a subscriber already, which then shows them.
    let _ = tracing::subscriber::set_global_default(Warnings(Mutex::new(std::io::stderr())));
}

/// The message and the fields of an event.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}: {value:?}"),
        };
    }
}

impl<W: Write + Send + 'static> Subscriber for Warnings<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = if *event.metadata().level() == Level::ERROR { "error" } else { "warning" };
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed stderr takes no warnings.
        let _ = writeln!(out, "{level}:{}", line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_and_errors_are_lines_and_the_rest_is_silent() {
        let seen = Shared::default();
        tracing::subscriber::with_default(Warnings(Mutex::new(seen.clone())), || {
            tracing::info_span!("plan").in_scope(|| tracing::info!("nothing"));
            tracing::warn!(file = "a.json", "a table is ignored");
            tracing::error!("the device is lost");
        });
        let text = String::from_utf8(seen.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "warning: a table is ignored file: \"a.json\"\nerror: the device is lost\n");
    }
}
