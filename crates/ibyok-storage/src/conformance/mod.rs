//! What every backend must do, as one function per promise.
