//! Libraries that read bytes are not proof against those that were damaged, or made up to harm: some
//! panic where they should say what is wrong. Such a panic ends the reading of a file with an error,
//! and nothing else; people read a sentence, not where a thread was.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

thread_local! {
    /// Whether a panic here is told by whoever catches it.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The last quiet panics: what each said, and in which line of which library.
static LAST: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());

/// Of several threads each may panic before the first is told.
const MOST_KEPT: usize = 16;

/// Runs what may panic; a panic comes back as what it said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let before = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    done.map_err(said)
}

/// From now on this thread's panics are told by whoever waits for it.
pub fn keep_quiet() {
    install();
    QUIET.set(true);
}

/// What a panic that was caught said, and where, if that is known.
#[expect(clippy::needless_pass_by_value, reason = "what is caught is used up")]
pub fn said(panic: Box<dyn Any + Send>) -> String {
    let message = text(&*panic);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = last.iter().position(|(said, _)| *said == message);
    match kept.and_then(|kept| last.remove(kept)) {
        Some((_, place)) => format!("{message} ({place})"),
        None => message,
    }
}

fn text(panic: &dyn Any) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

fn install() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                let kept = (text(info.payload()), place(info));
                let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
                last.truncate(MOST_KEPT - 1);
                last.push_front(kept);
            } else {
                usual(info);
            }
        }));
    });
}

/// `bytes-1.12.2/src/bytes.rs:374`, without the folders of the machine that built it.
fn place(info: &PanicHookInfo) -> String {
    let Some(location) = info.location() else { return "somewhere".to_owned() };
    let file = location.file();
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let from = parts.iter().rposition(|part| *part == "src").map_or(0, |src| src.saturating_sub(1));
    format!("{}:{}", parts[from..].join("/"), location.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_what_it_said_and_where() {
        assert_eq!(caught(|| 7), Ok(7));
        let line = line!() + 1;
        let said = caught(|| panic!("{} is too many", 8)).unwrap_err();
        assert!(said.starts_with("8 is too many ("), "{said}");
        assert!(said.ends_with(&format!("src/panics.rs:{line})")), "{said}");
    }

    #[test]
    fn one_thread_may_tell_what_another_panicked_of() {
        let thread = std::thread::spawn(|| {
            keep_quiet();
            panic!("a thing");
        });
        assert!(said(thread.join().unwrap_err()).starts_with("a thing"));
    }
}
