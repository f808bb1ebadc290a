//! A disk that is small enough to fill. Needs root, which mounts it.

use std::path::PathBuf;

use ibyok_tests::{Home, Run};

/// A small file system in memory over a directory of a home.
pub(crate) struct Small {
    place: PathBuf,
}

impl Small {
    /// Over the directory in which the programs keep everything.
    pub(crate) fn mount(home: &Home, options: &str) -> Self {
        Self::over(home.path("home"), options)
    }

    /// Over any directory.
    pub(crate) fn over(place: PathBuf, options: &str) -> Self {
        let mount = Run::new("mount").args(["-t", "tmpfs", "-o", &format!("mode=700,{options}"), "tmpfs"]);
        mount.arg(&place).run().done();
        Small { place }
    }

    pub(crate) fn remount(&self, options: &str) {
        Run::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.place)
            .run()
            .done();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Run::new("umount").arg("--lazy").arg(&self.place).run());
    }
}
