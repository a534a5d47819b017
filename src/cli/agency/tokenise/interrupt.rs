//! Ctrl-C: the run ends at the next chunk, and what was begun is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Becomes true when the process is asked to end. A second request ends it at once.
pub(super) fn watch() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a runtime or handlers a signal ends the process as ever; a part file may then stay.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return stop };
    let (registered, is_registered) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let _ = registered.send(());
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
            for is_again in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                flag.store(true, Ordering::Relaxed);
                if is_again {
                    std::process::exit(130);
                }
            }
        });
    });
    let _ = is_registered.recv();
    stop
}
