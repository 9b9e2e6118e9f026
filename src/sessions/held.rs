//! Something large that is usually borrowed.

use std::ops::Deref;

/// As [`std::borrow::Cow`], but as small as a pointer when owned: there are very many, and hardly
/// one is owned.
#[derive(Debug, Clone)]
pub enum Held<'f, T> {
    /// What the facts have.
    Borrowed(&'f T),
    /// What was put together.
    Owned(Box<T>),
}

impl<T> Held<'_, T> {
    /// Holds something that was put together.
    pub fn own(value: T) -> Self {
        Held::Owned(Box::new(value))
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Held::Borrowed(value) => value,
            Held::Owned(value) => value,
        }
    }
}

impl<T> AsRef<T> for Held<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}
